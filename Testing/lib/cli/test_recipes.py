"""`covidseg recipes`: the list without torch, and one recipe as TOML or with its costs."""

from __future__ import annotations

import json
import re

import pytest
from support.command_line import TIMEOUT, start

from CovidSegLib import recipes
from CovidSegLib.cli.main import DONE, UNUSABLE, main


def test_recipes_are_listed_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == DONE
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "NETWORKS", "INPUT", "DESCRIPTION"]
    assert [row.split()[0] for row in rows] == recipes.names()
    assert re.search(r"^ra-unet +RAUNet +3D +RA-UNet\. Residual 3D U-Net ", "\n".join(rows), re.M)
    assert re.search(r"^qc-hc-cascade +DynUNet, QCHCUNet +2D +QC-HC cascade\. ", "\n".join(rows), re.M)


def test_recipes_are_listed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "list", "--json"]) == DONE
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    recipe = recipes.load("ra-unet")
    assert records["ra-unet"] == {
        "name": "ra-unet",
        "title": recipe.title,
        "summary": recipe.summary,
        "source": recipe.source,
        "stages": {"infection": {"network": "RAUNet", "input_shape": list(recipe.infection.input_shape)}},
        "lungs_from": "unet-cascade",
    }


def test_the_list_does_not_import_torch() -> None:
    process = start("recipes", env={"PYTHONPROFILEIMPORTTIME": "1"})
    printed, imported = process.communicate(timeout=TIMEOUT)
    assert process.returncode == DONE and b"unet-cascade" in printed
    assert b"torch" not in imported.replace(b"|", b" ").split()


def test_a_recipe_is_printed_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "show", "qc-hc-unet"]) == DONE
    assert capsys.readouterr().out == recipes.find("qc-hc-unet").read_text(encoding="utf-8")


def test_costs_are_printed_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "show", "ra-unet", "--costs"]) == DONE
    assert re.search(
        r"^ra-unet: RA-UNet\. .*\n    Zeng, .*\n    infection: RAUNet, 13\.0 M parameters, 2\d\d GFLOPs",
        capsys.readouterr().out,
    )


def test_costs_of_an_ablation_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "show", "chs-net", "--costs", "--ablation", "BU+RIB"]) == DONE
    assert capsys.readouterr().out.startswith("chs-net (BU+RIB): ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "none"], r"There is no recipe .none.\. Give the path of a .toml file or one of: attention-unet, "),
        (["show", "chs-net", "--ablation", "BU"], "give --resolved or --costs with --ablation"),
        (["--json", "show", "chs-net"], "--json prints the list of recipes"),
    ],
)
def test_unusable_arguments_are_reported(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recipes", *arguments]) == UNUSABLE
    assert re.search(message, capsys.readouterr().err)
