"""The clock: training loss and accuracies of a run are those of its parameters at each record, recomputed in NumPy."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from muon_imbalance.common.progress import Progress
from muon_imbalance.data import registry as data_sets
from muon_imbalance.data.builder import Builder
from muon_imbalance.data.digits import barcoded_mnist
from muon_imbalance.stages import train
from muon_imbalance.training import clock, engine
from muon_imbalance.training.checkpoints import Checkpoints
from muon_imbalance.training.groups import Groups, Totals
from muon_imbalance.training.image_data import Images
from muon_imbalance.training.minibatch import Minibatch
from muon_imbalance.training.tasks.minibatch_classification import Network
from tests.training import test_network
from tests.training.test_barcoded_task import folder as barcoded  # noqa: F401 (a fixture)
from tests.training.test_barcoded_task import job as barcoded_job
from tests.training.test_barcoded_task import losses_of

COUNTS = (9, 6, 3, 2)  # training pictures of each class; the first two classes are the majority
SETS = {"majority": [0, 1], "minority": [2, 3]}


def arrays(split, seed):
    held = test_network.arrays("train", seed)
    label = np.repeat(np.arange(4), COUNTS)
    place = [np.flatnonzero(held["label"] == c)[i % 6] for c, n in enumerate(COUNTS) for i in range(n)]
    return held | {"images": held["images"][place], "label": label}


@pytest.fixture
def pictures(monkeypatch):
    def load(path, split, repetitions):
        each = [arrays(split, seed) for seed in repetitions]
        return {key: np.stack([one[key] for one in each]) for key in each[0]}

    module = SimpleNamespace(
        build=None, load=load, describe=None, classes=lambda config: 4, class_sets=lambda config: SETS
    )
    monkeypatch.setattr(data_sets, "module", lambda name: Builder(module))


def job(clock_samples=0, **changes):
    settings = {"metrics": ["group_loss"], "evaluate": ["test"], "clock_samples": clock_samples}
    return test_network.job(seeds=[0], epochs=2, settings=settings, **changes)


def recorded(task, plan, folder, optimizer):
    """History of a run, and the module's parameters and buffers at each record, copied before the next step."""
    snapshots, evaluate = [], task.evaluate

    def spy(params):
        kept = {name: value[0].clone() for name, value in params.items()}
        snapshots.append(kept | {name: value.clone() for name, value in task.seen_buffers.items()})
        return evaluate(params)

    gradients = task.gradients

    def before(params, measure):
        task.seen_buffers = {name: value.clone() for name, value in task.buffers.items()}
        return gradients(params, measure)

    task.evaluate, task.gradients = spy, before
    with Checkpoints(folder, "key") as checkpoints:
        return engine.train(task, optimizer, plan, engine.Saves(checkpoints, "s", 1e9), Progress("t", 1)), snapshots


def expected(logits, label, groups=None):
    """Loss and accuracies of a training split, from its logits in NumPy."""
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(label)), label]
    right, groups = logits.argmax(1) == label, label if groups is None else groups
    by_class = [right[groups == c].mean() for c in range(4)]
    found = {("all", "loss"): losses.mean(), ("balanced", "accuracy"): np.mean(by_class)}
    found |= {("worst", "accuracy"): min(by_class)}
    found |= {(f"class_{c}", "accuracy"): value for c, value in enumerate(by_class)}
    found |= {(f"class_{c}", "loss"): losses[groups == c].mean() for c in range(4)}
    return found | {(name, "accuracy"): right[np.isin(groups, members)].mean() for name, members in SETS.items()}


def check_minibatch_run(folder):
    """Every record of a run on minibatches against its own parameters and batch statistics at that moment."""
    described = job()
    task = train.make_task(described, described.runs(), folder)
    optimizer = train.make_optimizer(described, described.runs(), task.steps)
    history, snapshots = recorded(task, described.length(task.samples), folder / "checkpoints", optimizer)
    held, plain = arrays("train", 0), train.make_task(described, described.runs(), folder).module
    inputs = torch.from_numpy((held["images"].astype(np.float32) - 70) / 65).permute(0, 3, 1, 2)
    values = history.values[:, :, 0]
    assert len(snapshots) == len(values) == 4 and len(set(values[:, 0])) > 1
    for row, state in zip(values, snapshots, strict=True):
        plain.load_state_dict(state)
        with torch.no_grad():
            logits = plain.eval()(inputs).double().numpy()
        for (group, metric), value in expected(logits, held["label"]).items():
            own = row[history.keys.index(("train", group, metric))]
            assert own == pytest.approx(value, rel=1e-4), (group, metric)


def test_a_minibatch_run_records_what_its_parameters_give(pictures, tmp_path):
    check_minibatch_run(tmp_path)


def running_mean(monkeypatch):
    """The mean over the batches of the epoch so far, in the place of the evaluated loss."""
    gradients, measure = Minibatch.gradients, Network.measure

    def kept(self, params, measured):
        losses = [] if self.step % self.per_epoch == 0 else self.losses
        loss, grads, found = gradients(self, params, measured)
        shown = np.mean(self.losses) if getattr(self, "losses", None) else loss.item()
        self.shown, self.losses = shown, [*losses, loss.item()]
        return loss, grads, found

    def shown(self, outputs_of):
        return measure(self, outputs_of) | {("train", "all", "loss"): torch.tensor([self.shown])}

    monkeypatch.setattr(Minibatch, "gradients", kept)
    monkeypatch.setattr(Network, "measure", shown)


def training_mode(monkeypatch):
    """BatchNorm by the statistics of the evaluated samples."""
    measure = Network.measure
    monkeypatch.setattr(Network, "measure", lambda self, outputs_of: measure(self, self.module.train()))


def later_buffers(monkeypatch):
    """The batch statistics after the batch that follows the record."""
    monkeypatch.setattr(Minibatch, "_set_buffers", lambda self, values: None)


def changed_pictures(monkeypatch):
    """Pictures as they are trained on, moved and mirrored."""
    rng = torch.Generator().manual_seed(0)

    def read(self, which):
        return self.augmented(torch.arange(len(self))[which], SimpleNamespace(crop=1, flip=True), rng)

    monkeypatch.setattr(Images, "read", read)


@pytest.mark.parametrize("mutant", [running_mean, training_mode, later_buffers, changed_pictures])
def test_a_clock_that_is_not_evaluated_at_the_record_is_noticed(pictures, tmp_path, monkeypatch, mutant):
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        check_minibatch_run(tmp_path)


def check_stacked_run(folder, checkpoints):
    """Every record of a stack of two models, full batch, against their parameters at that moment."""
    described = barcoded_job()
    task = train.make_task(described, described.runs(), folder)
    snapshots, gradients = [], task.gradients

    def spy(params, measure):
        snapshots.append({name: value.clone() for name, value in params.items()})
        return gradients(params, measure)

    task.gradients = spy
    optimizer = train.make_optimizer(described, described.runs(), 3)
    with Checkpoints(checkpoints, "key") as kept:
        saves = engine.Saves(kept, "s", 1e9)
        history = engine.train(task, optimizer, described.length(), saves, Progress("t", 1))
    for (step, params), (model, seed) in itertools.product(enumerate(snapshots), enumerate(task.seeds)):
        data = barcoded_mnist.load(folder, "train", [seed])
        losses, right = (value.double().numpy() for value in losses_of(params, model, data))
        group = data["group"][0]
        accuracy = [right[group == number].mean() for number in (0, 1)]
        found = {("all", "loss"): losses.mean(), ("balanced", "accuracy"): np.mean(accuracy)}
        found |= {("majority", "accuracy"): accuracy[0], ("minority", "accuracy"): accuracy[1]}
        for (name, metric), value in (found | {("worst", "accuracy"): min(accuracy)}).items():
            own = history.values[step, history.keys.index(("train", name, metric)), model]
            assert own == pytest.approx(value), (step, model, name, metric)


def test_a_stacked_run_records_what_its_parameters_give(barcoded, tmp_path, monkeypatch):  # noqa: F811
    check_stacked_run(barcoded, tmp_path / "right")
    measured = Totals.measured
    last = {}

    def late(self, split, groups):
        """Mutation: accuracies of the record before."""
        last["old"], last["new"] = last.get("new"), measured(self, split, groups)
        return last["old"] or last["new"]

    monkeypatch.setattr(Totals, "measured", late)
    with pytest.raises(AssertionError):
        check_stacked_run(barcoded, tmp_path / "late")


def test_the_same_samples_for_all_optimizers_and_all_where_the_number_covers_them(pictures, tmp_path):
    def made(samples, **changes):
        described = job(samples, **changes)
        return train.make_task(described, described.runs(), tmp_path)

    few, other = made(3), made(3, optimizer="adam", rule="adam", cells=[{"lr": "0.01"}])
    assert torch.equal(few.splits["train"].inputs.which, other.splits["train"].inputs.which)
    assert few.splits["train"].groups.bincount().tolist() == [3, 3, 3, 2]
    assert few.splits["test"].groups.bincount().tolist() == list(COUNTS)  # only training is thinned
    whole, covered = made(0), made(9)
    params = whole.init()
    whole, covered, few = (task.evaluate(params) for task in (whole, covered, few))
    assert whole == covered and list(few) == list(whole) and few != whole


def subsets(most):
    """Every way to draw at most ``most`` samples of each class."""
    groups = np.repeat(np.arange(4), COUNTS)
    each = [itertools.combinations(np.flatnonzero(groups == c), min(most, n)) for c, n in enumerate(COUNTS)]
    return [np.concatenate(chosen) for chosen in itertools.product(*each)]


def check_unbiased():
    """The mean over all subsets, each as likely as any other, is the value on all samples."""
    rng, label = np.random.default_rng(0), torch.arange(4).repeat_interleave(torch.tensor(COUNTS))
    logits = torch.from_numpy(rng.normal(size=(len(label), 4)) + 2 * np.eye(4)[label] * (label < 2).numpy()[:, None])
    groups = Groups(tuple(f"class_{c}" for c in range(4)), SETS)
    sums: dict = {}
    drawn = subsets(2)
    for which in drawn:
        totals = Totals(1, 4, losses=True)
        totals.add(logits[None, which], label[None, which], label[None, which])
        totals.weigh(torch.tensor(COUNTS))
        found = totals.measured("train", groups) | totals.losses("train", groups)
        for (_, group, metric), value in (found | {("train", "all", "loss"): totals.mean_loss()}).items():
            sums[group, metric] = sums.get((group, metric), 0) + value.item() / len(drawn)
    whole = expected(logits.numpy(), label.numpy())
    for key in set(whole) - {("worst", "accuracy")}:  # the least of several estimates is biased
        assert sums[key] == pytest.approx(whole[key]), key


def test_the_estimate_is_unbiased(monkeypatch):
    check_unbiased()
    monkeypatch.setattr(Totals, "weigh", lambda self, sizes: None)
    with pytest.raises(AssertionError):
        check_unbiased()


def test_every_subset_is_drawn_as_often():
    groups, counts = torch.tensor([1, 0, 1, 0, 0, 1, 0, 2]), {}
    for seed in range(1800):
        which = tuple(clock.drawn(groups, 2, torch.Generator().manual_seed(seed)).tolist())
        counts[which] = counts.get(which, 0) + 1
    assert len(counts) == 6 * 3 and max(abs(n - 100) for n in counts.values()) < 40  # four standard deviations
    assert all(list(which) == sorted(which) and which[-1] == 7 for which in counts)
