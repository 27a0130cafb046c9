"""The results as Markdown."""

from __future__ import annotations

from typing import Any

from CovidSegLib.markdown import table

#: Columns of the table of growth, and their decimals.
GROWTH = {"slices": 0, "wall_s": 1, "cpu_s": 1, "peak_mb": 0}


def as_markdown(result: dict[str, Any]) -> str:
    """Return tables of what was measured, with the machine above them."""
    machine = result["machine"]
    limit = f", limited to {machine['limited_to']}" if machine["limited_to"] else ""
    speeds = ", ".join(f"{name} {value:.0f}" for name, value in result.get("calibration", {}).items())
    parts = [
        f"{machine['cpu']}, {machine['processors']} processors, {', '.join(machine['instructions'])}{limit}; load "
        f"{machine['load']} at the start. Products of matrices in GFLOPS: {speeds or 'not measured'}."
    ]
    if whole := result.get("whole"):
        engines = [name for name in whole if "/" not in name]
        rows = [
            [name, *(f"{whole[name][key]:.1f}" for key in ("wall_s", "cpu_s")), f"{whole[name]['peak_mb']:.0f}"]
            for name in engines
        ]
        parts.append(table(["engine, whole process", "seconds", "CPU seconds", "peak MB"], rows))
        stages = dict.fromkeys(stage for name in engines for stage in whole[name]["stages"])
        rows = [[stage, *(f"{whole[name]['stages'].get(stage, 0):.1f}" for name in engines)] for stage in stages]
        parts.append(table(["stage, seconds", *engines], rows))
    if networks := result.get("networks"):
        rows = [[stage, engine, f"{ms:.1f}"] for stage, each in networks.items() for engine, ms in each.items()]
        parts.append(table(["network", "engine", "CPU ms a slice"], rows))
    if growth := result.get("growth"):
        rows = [
            [str(row["slices"]), f"{row['wall_s']:.1f}", f"{row['cpu_s']:.1f}", str(row["peak_mb"])] for row in growth
        ]
        parts.append(table(["slices", "seconds", "CPU seconds", "peak MB"], rows))
    if parity := result.get("parity"):
        rows = [[scan, f"{dice['lungs']:.4f}", f"{dice['infection']:.4f}"] for scan, dice in parity.items()]
        parts.append(table(["scan", "lungs, Dice with PyTorch in float32", "infection"], rows))
    if rivals := result.get("rivals"):
        rows = [[row["what"], f"{row['wall_s']:.1f}", f"{row['cpu_s']:.1f}"] for row in rivals]
        parts.append(table(["rival", "seconds", "CPU seconds"], rows))
    if volumes := result.get("volume-rivals"):
        rows = [
            [row["what"], f"{row['wall_s']:.1f}", f"{row['cpu_s']:.1f}", str(row["peak_mb"])] for row in volumes["runs"]
        ]
        parts.append(table(["three-dimensional network", "seconds", "CPU seconds", "peak MB"], rows))
        parts.append(
            f"Without crop, mirroring and resampling, {volumes['equal_labels']} % of the voxels have the label that "
            f"nnU-Net gives them (Dice {volumes['dice']})."
        )
    return "\n\n".join(parts) + "\n"
