"""Optimizer classes as a user might write them; every trap that the tests look at has one."""

import torch


class Heavy(torch.optim.Optimizer):
    """SGD with momentum, with state of many kinds, and careless with its gradients."""

    def __init__(self, params, lr=0.1, betas=(0.9, 0.5), every=2, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "every": every, "weight_decay": weight_decay, "calls": 0})
        self.seen = 0

    @torch.no_grad()
    def step(self, closure=None):
        self.seen += 1
        for group in self.param_groups:
            group["calls"] += 1
            beta1, beta2 = group["betas"]
            for param in group["params"]:
                state = self.state[param]
                if not state:
                    state.update(buffer=torch.zeros_like(param), history=[], kind="heavy", pair=(1, 2.5), nothing=None)
                param.grad.mul_(1 - beta2 / (1 + group["calls"]))  # in place
                state["buffer"].mul_(beta1).add_(param.grad)
                state["history"] = [*state["history"], param.grad.square().mean()][-2:]
                size = 1 + sum(state["history"]) * (group["calls"] % group["every"])
                param.add_(state["buffer"] / size, alpha=-group["lr"] * (1 + 0.01 * self.seen))


class Noisy(Heavy):
    """Uses torch's global random numbers."""

    @torch.no_grad()
    def step(self, closure=None):
        super().step()
        for group in self.param_groups:
            for param in group["params"]:
                param.add_(torch.randn_like(param), alpha=1e-3)


class Unstorable(Heavy):
    """Keeps an object that no checkpoint can hold."""

    @torch.no_grad()
    def step(self, closure=None):
        super().step()
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["object"] = object()


class Forgetful(Heavy):
    """Keeps part of its state where nobody sees it, so that going on from a checkpoint would differ."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.count = lambda: None
        self.count.steps = 0

    @torch.no_grad()
    def step(self, closure=None):
        super().step()
        self.count.steps += 1
        for group in self.param_groups:
            for param in group["params"]:
                param.mul_(1 - 1e-3 * self.count.steps)


class Matrices(Heavy):
    """Takes 2-D weights only."""

    def __init__(self, params, lr=0.1):
        params = list(params)
        if any(param.ndim != 2 for param in params):
            raise ValueError("2-D parameters only")
        super().__init__(params, lr)


class Exploding(Heavy):
    """Overflows, then decomposes what it made."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for param in group["params"]:
                if param.ndim == 2:
                    torch.linalg.eigh((param.grad @ param.grad.T) * torch.inf)


class Failing(Heavy):
    """Fails at its second step."""

    def step(self, closure=None):
        super().step()
        if self.seen == 2:
            raise RuntimeError("two is too many")


class WithoutStep(torch.optim.Optimizer):
    """Forgot what it is for."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})


def not_a_class(params, lr=0.1):
    """A function that makes an optimizer."""
    return Heavy(params, lr)
