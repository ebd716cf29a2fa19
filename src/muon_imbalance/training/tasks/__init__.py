"""One kind of training problem a file: what a model sees, its loss and its measurements.

A module here is a task by its place; its name is the file's. It declares, at its top level,

* ``class Options(Settings)``: every key that it reads (metrics, evaluate ...), and which metrics it can measure;
* ``NEEDS = Needs(...)``: what the planner must know (:class:`muon_imbalance.training.options.Needs`): whether it counts
  epochs or steps, reads a data set, takes a model by name, can be joined by a torch class;
* ``TASK``: its class, a :class:`muon_imbalance.training.task.Task` (networks on minibatches:
  :class:`muon_imbalance.training.minibatch.Minibatch`).

The first two are read from the source text, without torch. What all tasks share is one floor up.
"""
