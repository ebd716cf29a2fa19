"""Numbers from runs: curve(s) x window x reduction. A module that lies here registers its statistics by being here.

``evidence`` is what can be measured (experiments, runs, curves), ``curves`` and ``windows`` are how claim files word
them, ``reductions`` and ``components`` the arithmetic, ``protocol`` what a statistic is; ``grids`` and ``epochwise``
read grids. All others are statistics, by kind. Nothing here knows a claim.
"""
