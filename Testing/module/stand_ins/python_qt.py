"""PySide6 with the interface of Slicer's module `qt`: one flat namespace, properties as attributes, `connect`.

PythonQt has `button.text = "x"` and `button.connect("clicked(bool)", f)`. PySide6 has `button.setText("x")` and
`button.clicked.connect(f)`. The classes of PySide6 are changed in place, because findChildren would not find
subclasses. Setters such as `setText` stay, because PythonQt has them too.
"""

import ctypes
import sys
import types

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

_MODULES = (QtCore, QtGui, QtWidgets)
#: Properties that stay methods, because C++ calls them as virtual functions.
_KEPT_METHODS = {"sizeHint", "minimumSizeHint"}
_custom_widgets = {}


def _attribute(name):
    """Return a Python property for the Qt property of this name."""

    def write(instance, value):
        if not QtCore.QObject.setProperty(instance, name, value):
            raise TypeError(f"cannot set {name} to {value!r}")

    return property(lambda instance: QtCore.QObject.property(instance, name), write)


def _connect(instance, signature, receiver):
    """Connect a signal by its C++ signature, as in PythonQt."""
    getattr(instance, signature.partition("(")[0]).connect(receiver)
    return True


def _adapt(cls):
    """Give a class of QObjects the interface that it has in PythonQt."""
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if name not in _KEPT_METHODS:
            setattr(cls, name, _attribute(name))
    original = cls.__init__

    def __init__(self, *arguments, **options):
        original(self, *arguments, **options)
        # Set on the instance, because QObject.connect is compiled and cannot be replaced on the class.
        self.__dict__["connect"] = types.MethodType(_connect, self)

    cls.__init__ = __init__


def custom_widget(cls):
    """Register a widget class for use in .ui files."""
    _custom_widgets[cls.__name__] = cls
    cls.connect = _connect
    return cls


class _UiLoader(QtUiTools.QUiLoader):
    """Creates every widget in Python, so that its class is one of the adapted classes."""

    def createWidget(self, class_name, parent=None, name=""):
        cls = _custom_widgets.get(class_name) or getattr(QtWidgets, class_name, None)
        if cls is None:
            raise LookupError(f"the .ui file asks for a {class_name}, which has no stand-in")
        widget = cls(parent)
        widget.setObjectName(name)
        return widget


def _make_immortal(*singletons):
    """Keep singletons alive although PySide6 6.12.0 releases a reference to None with each call that returns it.

    Singletons are immortal from Python 3.12 on. Before that, the process aborts after some ten thousand calls.
    """
    if sys.version_info < (3, 12):
        for singleton in singletons:
            ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 40  # the reference count comes first


def make_module():
    """Return the module to import as `qt`."""
    _make_immortal(None, True, False)
    module = types.ModuleType("qt", __doc__)
    for source in _MODULES:
        for name in dir(source):  # not vars(), because PySide creates its classes on first access
            item = getattr(source, name)
            if isinstance(item, type) and issubclass(item, QtCore.QObject):
                _adapt(item)
            if name.startswith("Q"):
                setattr(module, name, item)
    QtCore.QObject.className = lambda self: type(self).__name__
    QtCore.QObject.name = _attribute("objectName")
    module.Qt = QtCore.Qt
    module.QUiLoader = _UiLoader
    return module
