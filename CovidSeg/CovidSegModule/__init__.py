"""The code of the CovidSeg module, in the folders of a Slicer module written in C++.

`CovidSeg.py` holds the four classes that Slicer looks for. Everything else is here:

- `widgets/`: the panel and its sections. Only files in this folder import `qt` or `ctk`.
- `logic/`: what a section does to the scene, without widgets. Scripts and tests call it directly.
- `scene/`: MRML helpers that several sections share: nodes, CT volumes, segmentations, tables, provenance.
- `process/`: the child process that segments. torch is never loaded into Slicer's own process.
- `worklist/`: cases read and readings saved in threads, for the section "worklist".
- `packages/`: the Python packages that the child process needs.
- `section_logics.py`: one logic for each section.
- `parameters.py`: the module's state, stored in the scene. Sections communicate through it.
- `messages.py`: messages to the user that do not belong to a single section.
- `self_test.py`: the test that users run in Slicer.

A section of the panel is three files of the same name. To add the section "lesions":

1. Create `logic/lesions.py` with a class `LesionsLogic`, `widgets/lesions.py` with a subclass of `Section`, and
   `Resources/UI/lesions.ui` with a qMRMLWidget at the top. `results` is a short example of all three.
2. Create an instance of the logic in `section_logics.py`, and add the section to `create_sections`, in
   `widgets/panel.py`.
3. Add what the section stores in the scene to `parameters.py`.
4. Add `Testing/module/logic/test_lesions_logic.py` and `Testing/module/widgets/test_lesions.py`.

The files are grouped by what they may import rather than by section, so that the rule about widgets is a rule about
folders, and so that the folders are those that Slicer developers know from loadable modules (Logic, Widgets,
Resources/UI). CMake finds new files by itself.
"""
