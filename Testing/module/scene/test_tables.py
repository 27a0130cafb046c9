"""The table node with the numbers of a result."""

import harness
import numpy as np
import pytest
from stand_ins.tables_module import column_headers

from CovidSegModule.scene import tables


def test_numbers():
    result = harness.segment_ct(harness.make_ct())
    voxel = 2.9 * 3.1 * 5.3 / 1000
    painted = harness.painted()
    right, left, both = tables.read_rows(result.table)
    assert [row.region for row in (right, left, both)] == ["Right lung", "Left lung", "Both lungs"]
    assert right.volume_ml == pytest.approx(np.isin(painted, (-850, -500)).sum() * voxel, abs=1e-3)
    assert left.volume_ml == pytest.approx((painted == -851).sum() * voxel, abs=1e-3)
    assert both.infection_ml == right.infection_ml == pytest.approx((painted == -500).sum() * voxel, abs=1e-3)
    assert left.mean_hu == -851
    assert left.infection_mean_hu is None
    assert (right.lesions, left.lesions, both.lesions) == (1, 0, 1)
    assert tables.table_of(result.segmentation) is result.table


def test_a_ct_without_infection_has_numbers():
    array = harness.painted()
    array[array == -500] = -850
    result = harness.segment_ct(harness.make_ct(array=array))
    assert tables.read_rows(result.table)[2].infection_ml == 0
    assert result.segmentation.GetSegmentation().GetNumberOfSegments() == 3


def test_units_are_shown_once():
    headers = column_headers(harness.segment_ct(harness.make_ct()).table)
    assert headers[:4] == ["Region", "Volume (ml)", "Infection (ml)", "Involvement (%)"]
    assert not any("[" in header for header in headers)


def test_a_table_whose_columns_were_changed_has_no_rows():
    table = harness.segment_ct(harness.make_ct()).table
    assert len(tables.read_rows(table)) == 3
    table.GetTable().RemoveColumnByName("Infection (ml)")
    assert tables.read_rows(table) == []
