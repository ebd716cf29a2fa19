"""The stage ``render``: strict about parameters and files, everything or nothing, the same bytes again."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.reporting import provenance
from muon_imbalance.stages import render

from .conftest import PARAMETERS, PLOT

LEVEL = PARAMETERS + "level = 0.2  # in (0, 1): accuracy that counts\n"
PLAIN = """\
for suffix in ("pdf", "png", "csv"):
    with open(f"{output_dir}/fig_01_sample.{suffix}", "w") as file:
        file.write("content")
"""
NOISE = """\
import datetime, os, sys, tempfile, warnings
print(datetime.datetime.now().isoformat(), os.getcwd(), sys.executable, tempfile.gettempdir(), object())
warnings.warn("look here")
datetime.datetime.now()
"""


def run(source, spec, parameters=None):
    """Render into ``figures``, with the parameters of the sample notebook."""
    given = {"runs": [], "theory": []} if parameters is None else parameters
    folders = Path("figures"), Path("results/notebooks/x.ipynb"), Path("logs/x.ipynb")
    return render.render("fig_01", Path(source), given, spec, *folders)


def published():
    """Files that were published or left behind in the figures' folder."""
    return sorted(path.name for path in Path("figures").glob("*")) if Path("figures").exists() else []


@pytest.mark.slow
def test_publishes_everything_and_again_the_same_bytes(project, write_notebook, spec):
    source = write_notebook(PLOT, NOISE, kernel="authors-own-kernel")
    first = run(source, spec)
    assert published() == [f"fig_01_sample.{suffix}" for suffix in ("csv", "json", "pdf", "png")]
    before = {path: path.read_bytes() for path in first}
    shutil.rmtree("figures")
    assert {path: path.read_bytes() for path in run(source, spec)} == before
    assert not Path("logs/x.ipynb").exists(), "the log notebook is for failures"

    record = json.loads(before[Path("figures/fig_01_sample.json")])
    assert tuple(record) == provenance.KEYS
    assert record["notebook"] == "notebooks/fig_01_sample.ipynb"
    assert record["data"] == [
        {"name": "colored_mnist", "kind": "real", "sha256": "ab" * 32, "label": "Colored-MNIST from MNIST"}
    ]
    assert {"python", "numpy", "matplotlib"} <= set(record["packages"])

    executed = before[Path("results/notebooks/x.ipynb")].decode()
    notebook = json.loads(executed)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "papermill" not in notebook["metadata"]
    for leak in (str(project), sys.prefix, "iopub", "start_time", "ipykernel_"):
        assert leak not in executed, leak
    for trace in ("<time>", "<environment>", "<temporary>", "0x…", "look here", "image/png"):
        assert trace in executed, trace


@pytest.mark.slow
def test_failing_notebook_leaves_its_log_and_nothing_else(project, write_notebook, spec, capfd):
    source = write_notebook(PLAIN, "numbers = {}\nnumbers['missing key']", "print('not reached')")
    with pytest.raises(UserError, match=r"failed in cell 4: KeyError: 'missing key' \(kept: logs/x.ipynb\)"):
        run(source, spec)
    assert published() == [] and not Path("results").exists()
    shown = capfd.readouterr().err
    assert "numbers['missing key']" in shown and "KeyError" in shown and "\x1b" not in shown
    assert "KeyError" in Path("logs/x.ipynb").read_text(encoding="utf-8")


@pytest.mark.slow
def test_dead_kernel_is_reported(project, write_notebook, spec):
    source = write_notebook("import os\nos._exit(1)")
    with pytest.raises(UserError, match="kernel that ran notebook .* died"):
        run(source, spec)
    assert published() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("pass", "did not write fig_01_sample.csv, fig_01_sample.pdf, fig_01_sample.png"),
        (PLAIN + "open(output_dir + '/extra.txt', 'w').write('x')", "wrote extra.txt besides"),
        (PLAIN + "open(output_dir + '/fig_01_sample.pdf', 'w').close()", "wrote an empty fig_01_sample.pdf"),
    ],
)
def test_wrong_set_of_files(project, write_notebook, spec, code, message):
    with pytest.raises(UserError, match=message):
        run(write_notebook(code), spec)
    assert published() == [] and not Path("results").exists()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"runs": [], "theory": [], "rnus": []}, "has no parameter rnus; it has data_label, level, output_dir"),
        ({"runs": []}, "needs the parameter theory, which was not given"),
        ({"runs": [], "theory": [], "title": "mine"}, "title is set by the runner"),
        ({"runs": [], "theory": [], "level": "abc"}, "parameters.level = 'abc'; allowed: a number above 0 below 1"),
    ],
)
def test_parameters_are_strict(project, write_notebook, spec, parameters, message):
    with pytest.raises(UserError, match=message):
        run(write_notebook("raise SystemExit('must not run')", parameters=LEVEL), spec, parameters)
    assert published() == [] and not Path("logs").exists()


def test_names_are_strict(project, write_notebook, spec):
    with pytest.raises(UserError, match="its name must be fig_01_<slug>.ipynb"):
        run(write_notebook(PLOT, name="fig_02_sample.ipynb"), spec)
    with pytest.raises(UserError, match="begins with fig_ or tab_"):
        render.suffixes("plot_1", Path("plot_1_x.ipynb"))


def test_table_with_formulas(project, write_notebook, spec):
    code = (
        "import pandas as pd\nfrom muon_imbalance.reporting.figures import figure\n"
        "rows = pd.DataFrame({'rule': ['SignGD', 'a < b'], 'update': [r'$\\operatorname{sign}(G)$', '2']})\n"
        "figure.save_table(rows, output_dir, 'tab_1_rules', title)"
    )
    source = write_notebook(code, name="tab_1_rules.ipynb")
    paths = Path("figures"), Path("results/x.ipynb"), Path("logs/x.ipynb")
    render.render("tab_1", source, {"runs": [], "theory": []}, spec | {"data": []}, *paths)
    assert published() == ["tab_1_rules.csv", "tab_1_rules.html", "tab_1_rules.json"]
    page = Path("figures/tab_1_rules.html").read_text(encoding="utf-8")
    assert "<math" in page and "a &lt; b" in page and '<th scope="row">SignGD' in page


def test_command_line_says_one_line_and_exits_2(project, write_notebook, spec, monkeypatch, capsys):
    command = [
        "render",
        "--id",
        "fig_01",
        "--notebook",
        str(write_notebook(PLOT)),
        "--figures-dir",
        "figures",
    ]
    command += [
        "--executed",
        "e.ipynb",
        "--log-notebook",
        "l.ipynb",
        "--parameters",
        '{"runs": [], "theory": []}',
    ]
    spec["data"] = ["nowhere/manifest.json"]
    for given, message in (
        (
            json.dumps(spec),
            "nowhere/manifest.json cannot be read ([Errno 2] No such file or directory: 'nowhere/manifest.json'): "
            "build the data set again",
        ),
        ("[1]", "--provenance is [1]; it must be a JSON dict"),
        ("@nowhere.json", "--provenance is not JSON: [Errno 2] No such file or directory: 'nowhere.json'"),
    ):
        monkeypatch.setattr(sys, "argv", [*command, "--provenance", given])
        with pytest.raises(SystemExit) as stopped:
            run_stage(render.main)
        assert stopped.value.code == 2
        assert capsys.readouterr().err == f"error: {message}\n"


def test_papermill_is_loaded_without_pyarrow_which_can_be_imported_afterwards():
    code = (
        "import sys; from muon_imbalance.reporting.notebooks.light_papermill import papermill;"
        "assert not [name for name in sys.modules if name.startswith('pyarrow')];"
        "import pyarrow.fs; assert papermill is sys.modules['papermill']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
