"""PySide6 as Slicer's module `qt`: one flat namespace, Qt's properties as attributes, `connect` by signature.

PythonQt gives `button.text = "x"` and `button.connect("clicked(bool)", f)`; PySide6 gives `button.setText("x")` and
`button.clicked.connect(f)`. The classes are changed in place, because subclasses of Qt's own would not be found by
findChildren, and setters stay, because both have them.
"""

import ctypes
import sys
import types

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

_MODULES = (QtCore, QtGui, QtWidgets)
#: Properties whose getters are virtual functions that C++ calls.
_KEPT_METHODS = {"sizeHint", "minimumSizeHint"}
_custom_widgets = {}


def _attribute(name):
    """An attribute that is the Qt property of this name."""

    def write(instance, value):
        if not QtCore.QObject.setProperty(instance, name, value):
            raise TypeError(f"cannot set {name} to {value!r}")

    return property(lambda instance: QtCore.QObject.property(instance, name), write)


def _connect(instance, signature, receiver):
    """PythonQt's connect: by the signal's C++ signature."""
    getattr(instance, signature.partition("(")[0]).connect(receiver)
    return True


def _give_manners(cls):
    """Make a class of QObjects behave as it does in PythonQt."""
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if name not in _KEPT_METHODS:
            setattr(cls, name, _attribute(name))
    original = cls.__init__

    def __init__(self, *arguments, **options):
        original(self, *arguments, **options)
        # On the instance, because the compiled QObject.connect cannot be replaced on the class.
        self.__dict__["connect"] = types.MethodType(_connect, self)

    cls.__init__ = __init__


def custom_widget(cls):
    """Class decorator: makes a widget that .ui files may name."""
    _custom_widgets[cls.__name__] = cls
    cls.connect = _connect
    return cls


class _UiLoader(QtUiTools.QUiLoader):
    """Makes every widget in Python, so that it has a Python class with the manners above."""

    def createWidget(self, class_name, parent=None, name=""):
        cls = _custom_widgets.get(class_name) or getattr(QtWidgets, class_name, None)
        if cls is None:
            raise LookupError(f"the .ui file asks for a {class_name}, which has no stand-in")
        widget = cls(parent)
        widget.setObjectName(name)
        return widget


def _make_immortal(*singletons):
    """Keep singletons alive: PySide6 6.12.0 gives up a reference to None with each call that returns it.

    From Python 3.12 on they are immortal; before, the process aborts after some ten thousand calls.
    """
    if sys.version_info < (3, 12):
        for singleton in singletons:
            ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 40  # the reference count comes first


def make_module():
    """The module to be imported as `qt`."""
    _make_immortal(None, True, False)
    module = types.ModuleType("qt", __doc__)
    for source in _MODULES:
        for name in dir(source):  # not vars(): PySide makes its classes when they are first asked for
            item = getattr(source, name)
            if isinstance(item, type) and issubclass(item, QtCore.QObject):
                _give_manners(item)
            if name.startswith("Q"):
                setattr(module, name, item)
    QtCore.QObject.className = lambda self: type(self).__name__
    QtCore.QObject.name = _attribute("objectName")
    module.Qt = QtCore.Qt
    module.QUiLoader = _UiLoader
    return module
