"""The page Audit: entries checked at parse time, verdicts from claims.json, figures that are not there named only."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml

from muon_imbalance.analysis.claims import audit, claim_records
from muon_imbalance.common.errors import UserError
from muon_imbalance.plan.families import load
from muon_imbalance.reporting.site import audit_page, offline, verdicts

ROOT = Path(__file__).parents[2]
REAL = ROOT / "claims/audit.yaml"
ENTRY = {
    "id": "depth",
    "part": "theory",
    "title": "Depth and <targets>",
    "paper": "Depth accelerates $r_c^{1/L}$ always.",
    "where": "Sec. 3.3",
    "finding": "Only if $r_c > 1$ & so on.",
    "figures": ["fig_01", "fig_s4"],
    "claims": ["C1.1", "C1.1@muon_ns1", "A1*"],
}
GOOD = {"preface": "What this page is about, in a sentence.", "entries": [ENTRY]}


@pytest.fixture
def written(tmp_path):
    """Function that writes an audit file, altered, and returns its path."""

    def write(change=lambda content: None):
        content = copy.deepcopy(GOOD)
        change(content)
        (tmp_path / "audit.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        return tmp_path / "audit.yaml"

    return write


def records(tmp_path, *given):
    keys = dict.fromkeys(verdicts.CLAIM_KEYS)
    made = [keys | {"id": name, "figure": "fig_01", "statement": f"{name} says so.", "verdict": verdict, "n": 5,
                    "note": "measured $x$"} for name, verdict in given]  # fmt: skip
    (tmp_path / "claims.json").write_text(json.dumps(made), encoding="utf-8")
    return verdicts.read_claims(tmp_path / "claims.json")


def page(tmp_path, content, judged, figures=("fig_01",)):
    folder = tmp_path / "report"
    return audit_page.page(
        content, judged, figures, scale="laptop", back=folder / "index.html", output=folder / "audit.html"
    )


def test_the_page_shows_verdicts_and_links(tmp_path, written):
    judged = records(
        tmp_path, ("C1.1", "holds"), ("C1.1@muon_ns1", "fails"), ("A1.1", "inconclusive"), ("C9.9", "holds")
    )
    made = page(tmp_path, audit.read(written()), judged)
    for part in ("✓", "✗", "≈", "Depth and &lt;targets&gt;", "<math", "Sec. 3.3", "A1.1 says so.", "scale: laptop"):
        assert part in made, part
    assert 'href="index.html#claim-C1.1"' in made and 'href="index.html#claim-A1.1"' in made
    assert "C9.9" not in made
    assert '<a href="index.html#fig_01">Figure 1</a>' in made
    assert "Figure S4 <span" in made and "#fig_s4" not in made, "a figure that is not shown has no link"
    offline.check(made, "audit")


def test_a_changed_verdict_changes_the_page(tmp_path, written):
    content = audit.read(written())
    holds, fails = (page(tmp_path, content, records(tmp_path, ("C1.1", verdict))) for verdict in ("holds", "fails"))
    assert holds != fails and "✗" not in holds


def test_a_claim_named_twice_is_shown_once(tmp_path, written):
    path = written(lambda c: c["entries"][0].update(claims=["C1.1", "C1*"]))
    assert page(tmp_path, audit.read(path), records(tmp_path, ("C1.1", "holds"))).count("C1.1 says so.") == 1


def test_entries_stand_in_their_parts(tmp_path, written):
    second = ENTRY | {"id": "words", "part": "text", "title": "A figure number", "claims": [], "figures": []}
    path = written(lambda c: c["entries"].insert(0, second))
    made = page(tmp_path, audit.read(path), records(tmp_path, ("C1.1", "holds")))
    assert made.index("Depth and") < made.index("A figure number"), "theory comes before text"
    assert "no figure" in made and audit.PARTS["experiments"] not in made


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["entries"][0].pop("finding"), "line 2, entry depth: key 'finding' is missing"),
        (lambda c: c["entries"][0].update(verdict="holds"), "entry depth: unknown key 'verdict'; allowed: claims, "),
        (lambda c: c["entries"][0].update(part="proofs"), "entry depth.part = 'proofs'; allowed: theory, "),
        (lambda c: c["entries"][0].update(figures=["figure 1"]), "entry depth.figures.0 = 'figure 1'; allowed: "),
        (lambda c: c["entries"][0].update(claims=["*"]), "entry depth.claims.0 = .*; allowed: "),
        (lambda c: c["entries"][0].update(claims=["C1.1", "C1.1"]), "entry depth.claims: 'C1.1' stands there"),
        (lambda c: c["entries"][0].pop("id"), "entry number 1: key 'id' is missing"),
        (lambda c: c["entries"].append(ENTRY), "entry depth is there more than once"),
        (lambda c: c.pop("preface"), "audit.yaml: key 'preface' is missing"),
        (lambda c: c.update(entries=[]), "entries = .*; allowed: a list"),
    ],
)
def test_a_malformed_file_is_refused(written, change, message):
    with pytest.raises(UserError, match=message):
        audit.read(written(change))


def test_unreadable_files_are_refused(tmp_path):
    (tmp_path / "broken.yaml").write_text("entries: [", encoding="utf-8")
    for name, message in (("broken.yaml", "broken.yaml, line 2: "), ("absent.yaml", "absent.yaml cannot be read")):
        with pytest.raises(UserError, match=message):
            audit.read(tmp_path / name)


def test_references(written):
    content = audit.read(written())
    both = ["fig_01", "fig_s4"]
    audit.check_references(content, ["C1.1", "C1.1@muon_ns1"], both)  # A1* may mean none
    with pytest.raises(UserError, match="entry depth names the claim 'C1.1@muon_ns1', which claims/ does not state"):
        audit.check_references(content, ["C1.1"], both)
    audit.check_references(content, [], ["fig_01"])  # fig_s4 is not there, its claims may not be either
    assert audit.matching("C1.1", ["C1.1", "C1.1@x", "C1.10"]) == ["C1.1"]
    assert audit.matching("C1.*", ["C1.1", "C10.1", "C1.2"]) == ["C1.1", "C1.2"]


def test_the_repositorys_own_file():
    content = audit.read(REAL)
    config = load(ROOT).config
    known = [claim.id for claim in claim_records.read_all(ROOT / "claims")]
    audit.check_references(content, known, config["figures"])
    assert {entry["part"] for entry in content["entries"]} == set(audit.PARTS)
    named = {name for entry in content["entries"] for ref in entry["claims"] for name in audit.matching(ref, known)}
    stated_audit = {name for name in known if re.match(r"A(\.|2\.|31\.)", name)}
    assert stated_audit <= named, f"the page does not mention {sorted(stated_audit - named)}"
    for entry in content["entries"]:
        assert not re.search(r"holds|fails|inconclusive", entry["finding"].replace("does not hold", "")), entry["id"]


@pytest.mark.parametrize(
    ("verdict", "label"),
    [
        ("holds", "confirmed"),
        ("fails", "refuted"),
        ("absent", "open"),
        ("inconclusive", "open"),
        ("not-run", "not run"),
    ],
)
def test_findings_of_the_audit_are_confirmed_refuted_or_open(tmp_path, verdict, label):
    keys = dict.fromkeys(verdicts.CLAIM_KEYS) | {"statement": "x", "figure": "fig_01", "n": 5, "note": "x"}
    kinds = {"A.k9": "audit", "A1.1": "control", "C1.1": "paper"}
    made = [keys | {"id": name, "kind": kind, "verdict": verdict} for name, kind in kinds.items()]
    (tmp_path / "claims.json").write_text(json.dumps(made), encoding="utf-8")
    audit_, control, paper = verdicts.read_claims(tmp_path / "claims.json")
    assert (audit_["verdict"].label, audit_["verdict"].key) == (label, verdict)
    assert control["verdict"].label == paper["verdict"].label == verdict.replace("-", " ")
