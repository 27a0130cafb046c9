"""What the module Tables shows: the headers that Slicer's qMRMLTableModel makes."""


def column_headers(node):
    """Return the headers of the columns of a table node. Slicer appends the unit to the title, if there is one."""
    headers = []
    for index in range(node.GetNumberOfColumns()):
        name = node.GetColumnName(index)
        unit = node.GetColumnUnitLabel(name)
        headers.append(f"{name} [{unit}]" if unit else name)
    return headers
