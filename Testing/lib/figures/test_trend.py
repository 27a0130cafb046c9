"""The plot of infection over time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.figures import texts

from CovidSegLib.figures.trend import SERIES, draw_trend, trend_figure


def line(*days: int | None, dates: bool = False) -> list[dict[str, Any]]:
    return [
        {
            "days": day,
            "date": f"2020-03-{10 + number}" if dates else None,
            "regions": {
                region: {"infection_ml": 10.0 * (number + 1), "involvement_percent": number + 0.5, "volume_ml": 1.0}
                for region, _colour, _marker in SERIES
            },
        }
        for number, day in enumerate(days)
    ]


def test_three_time_points() -> None:
    figure = trend_figure(line(-40, -10, 0))
    share, volume = figure.axes
    assert [list(curve.get_xdata()) for curve in share.lines] == [[-40, -10, 0]] * 3
    assert list(volume.lines[0].get_ydata()) == [10, 20, 30]
    assert volume.get_ylim()[0] == 0 and volume.get_ylim()[1] > 30
    assert "Days, the current CT at 0" in texts(figure) and "30.0" in texts(figure)


def test_dates_are_labels() -> None:
    assert "2020-03-12" in texts(trend_figure(line(-2, -1, 0, dates=True)))


def test_without_days_the_cts_are_numbered() -> None:
    figure = trend_figure(line(None, 0))
    assert list(figure.axes[0].lines[0].get_xdata()) == [0, 1]
    assert "CT 2" in texts(figure)


@pytest.mark.parametrize("days", [(0, 0), (-5, 0)])
def test_the_file(tmp_path: Path, days: tuple[int, int]) -> None:
    draw_trend(tmp_path / "trend.png", line(*days, dates=True))
    assert (tmp_path / "trend.png").stat().st_size > 5000
