import json

import pytest

from robustseg.cli.main import main


@pytest.fixture
def claims(add_run, capsys):
    def run(*arguments):
        code = main(["claims", *arguments, "--runs", str(add_run.runs)])
        return code, *capsys.readouterr()

    return run


def images(shift):
    return {f"image{at}": 0.5 + shift + at / 100 + at * shift / 100 for at in range(12)}


def test_claims_of_an_experiment(add_run, claims):
    for loss, shift in (("gce", 0), ("mae", 0.05), ("tloss", 0.1)):
        for seed in range(3):
            add_run(loss, 0.3, images=images(shift + seed / 50), seed=seed, experiments=["one"])
    add_run("ce", 0.3, images=images(0), experiments=["other"])
    code, output, errors = claims("one")
    assert (code, errors) == (0, "")
    assert output.count("\n- dice_image, α=0.3 β=0.5: on these 12 images the networks of") == 3
    (first, second) = json.loads(claims("one", "--against", "gce", "--format", "json")[1])
    assert {first["second"], second["second"]} == {"gce"}
    assert first["family"] == 2
    assert len(json.loads(claims("--loss", "gce,mae", "--format", "json")[1])) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["other"], 1, "none of the 2 finished runs has any experiment"),
        (["--metric", "dice_imag"], 2, "no run has a number 'dice_imag'; did you mean dice_image?"),
        (["--metric", "epochs"], 2, "means over images only, which epochs is not"),
        (["--against", "gc"], 2, "no row has loss='gc'; did you mean gce?"),
        (["--loss", "gce"], 1, "nothing to compare"),
        ([], 1, "images.csv is missing"),
    ],
)
def test_mistakes_are_answered_with_what_would_help(add_run, claims, arguments, code, message):
    add_run("gce", images=images(0))
    add_run("mae")
    found, output, errors = claims(*arguments)
    assert (found, output) == (code, "")
    assert "robustseg claims: " in errors and message in errors
