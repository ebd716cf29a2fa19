# Report cards: what one is drawn from.
def card_optimizers(optimizer):
    """The optimizer of a card and those it is compared with."""
    if optimizer not in config["optimizers"]:
        raise WorkflowError(f"OPTIMIZER={optimizer!r} is unknown; allowed: {', '.join(sorted(config['optimizers']))}")
    return list(dict.fromkeys([optimizer, *CARD["against"]]))


def card_runs(optimizer):
    """Run tables of a card, by experiment."""
    names = card_optimizers(optimizer)
    return {
        x: [f"{RESULTS}/runs/{x}/{name}.{shard}.parquet" for name in names for shard in final_shards(x)]
        for x in CARD["experiments"]
    }


def card_measured(optimizer):
    """Time and memory of a card's optimizers."""
    names = card_optimizers(optimizer)
    return [f"{RESULTS}/measured/{x}/{name}.json" for x in CARD["experiments"] for name in names]


def card_parameters(optimizer):
    """Parameters of the card's notebook, beside those that the runner sets itself."""
    groups = {
        name: {key: described[key] for key in ("label", "majority", "minority")}
        | {"split": described.get("split", "test")}
        for name, described in CARD["experiments"].items()
    }
    return json.dumps(
        {"optimizer": optimizer, "runs": card_runs(optimizer), "measured": card_measured(optimizer), "groups": groups}
    )


def card_manifests():
    """Manifests of the data sets behind a card."""
    return sorted({path for name in CARD["experiments"] for path in manifests(name)})


def card_provenance(optimizer):
    """What a card's json file says of its origin."""
    return json.dumps(
        {
            "title": f"Report card of {optimizer}: learning the tail",
            "scale": SCALE,
            "command": f"make card OPTIMIZER={optimizer}" + ("" if SCALE == "laptop" else f" SCALE={SCALE}"),
            "experiments": list(CARD["experiments"]),
            "seeds": {name: EXPERIMENTS[name]["seeds"] for name in CARD["experiments"]},
            "claims": [],
            "data": card_manifests(),
        }
    )
