"""An update rule: a composition of named parts that maps a judged group to a weight for every step."""

from dataclasses import KW_ONLY, dataclass, field, replace
from math import inf
from typing import Any

from array_api_compat import array_namespace

from spo_theory.allowed import TEXT, Allowed, instance
from spo_theory.group import Array, Group
from spo_theory.judged_responses import check_confidence, check_responses
from spo_theory.limits import count
from spo_theory.parts.across import Across, Independent
from spo_theory.parts.baselines import Baseline, GroupAdvantage
from spo_theory.parts.credit import Credit, WholeResponse
from spo_theory.parts.filters import EveryGroup, GroupFilter
from spo_theory.parts.objectives import Clipped, Objective, Ratio
from spo_theory.parts.rewards import Colouring, Outcome, Reward
from spo_theory.parts.samplers import FreshGroups, ReferenceSolutions, Sampler, ShorterQuestions
from spo_theory.validation import check, refuse

PARTS = ("reward", "keep", "baseline", "credit", "objective", "sampler", "across")
"""Names of the parts of a method, in the order in which they act."""


KINDS = {
    "reward": Allowed("a reward part, such as Outcome() or Colouring()", callable),
    "keep": Allowed("a group filter, such as EveryGroup()", callable),
    "baseline": Allowed("a baseline, such as GroupAdvantage()", lambda part: callable(part.advantages)),
    "credit": Allowed("a credit part, such as WholeResponse()", callable),
    "objective": Allowed("an objective, such as Clipped()", lambda part: callable(part.weights)),
    "sampler": Allowed("a sampler, such as FreshGroups()", lambda part: callable(part.portions)),
    "across": Allowed("a weighting across questions, such as Independent()", callable),
}
"""What each part of a method must be able to do."""


@dataclass(frozen=True)
class Method:
    """An update rule for groups of G responses.

    The gradient of a group is ``mean_i sum_s w_is grad log pi(step s of response i)``; `weights` are these w. Theory,
    trainer, evaluation and tests call this class and nothing else.

    name: as registered. group_size: responses per question, G >= 2. The parts are given by keyword:
    reward: of each response. keep: from which groups to learn. baseline: from rewards to advantages. credit: which
    steps an advantage acts on. objective: from advantages and log-ratios to weights, and the value maximized. sampler:
    where groups come from. across: how much each question of a batch counts.
    Raises `InputError` for a group size below 2 or above a billion, and for a credit to single steps under an objective
    that weighs whole responses. Derived in docs/theory/step-weights.md.

    Example:
        >>> import numpy as np
        >>> from spo_theory import rule
        >>> group = Group(np.array([True, False]), np.array([2, 1]), np.ones((2, 2)))
        >>> rule("grpo", group_size=2).weights(group).tolist()
        [[1.0, 1.0], [-1.0, -1.0]]
    """

    name: str
    group_size: int = 8
    _: KW_ONLY
    reward: Reward = field(default_factory=Outcome)
    keep: GroupFilter = field(default_factory=EveryGroup)
    baseline: Baseline = field(default_factory=GroupAdvantage)
    credit: Credit = field(default_factory=WholeResponse)
    objective: Objective = field(default_factory=Clipped)
    sampler: Sampler = field(default_factory=FreshGroups)
    across: Across = field(default_factory=Independent)

    def __post_init__(self) -> None:
        lines = TEXT.problems("name", self.name) + count(2).problems("group_size", self.group_size)
        refuse(lines + [line for name, kind in KINDS.items() for line in kind.problems(name, getattr(self, name))])
        whole = self.objective.per_step or isinstance(self.credit, WholeResponse)
        check(whole, "credit", self.credit, f"WholeResponse() with {self.objective}, which weighs whole responses")

        # A colour is a share of the whole question, and pairs have nothing to compare a reference solution with
        cut = isinstance(self.sampler, ShorterQuestions) and self.colouring is not None
        check(not cut, "reward", self.reward, f"without colours with {self.sampler}: they are for whole questions")
        alone = isinstance(self.sampler, ReferenceSolutions) and not self.objective.by_sign
        check(not alone, "objective", self.objective, f"no pairs with {self.sampler}: its responses are all alike")

    @property
    def uses_log_prob(self) -> bool:
        """Whether weights on fresh rollouts depend on the probabilities of responses, not only on their judgement."""
        parts = (self.reward, self.baseline, self.credit)
        return self.objective.uses_reference or any(getattr(part, "uses_log_prob", False) for part in parts)

    @property
    def colouring(self) -> Colouring | None:
        """How incorrect responses are coloured, or None."""
        return self.reward if isinstance(self.reward, Colouring) else None

    def rewards(
        self,
        correct: Array,
        first_error: Array,
        lengths: Array,
        valid: Array | None = None,
        dtype: Any = None,
    ) -> Array:
        """Rewards ``(..., G)`` of responses; raises `InputError` for arrays that are no judged responses.

        ``correct``: boolean ``(..., G)``. ``first_error``: integer ``(..., G)``, correct steps before the first
        wrong one. ``lengths``: steps per response ``(..., G)`` or the length of each step ``(..., G, S)``.
        ``valid``: boolean ``(..., G)``, False for responses to ignore. ``dtype``: of the result.
        """
        check_responses(correct, first_error, lengths, valid)
        return self.reward(Group(correct, first_error, lengths, valid=valid, dtype=dtype))

    def advantages(
        self,
        correct: Array,
        first_error: Array,
        lengths: Array,
        valid: Array | None = None,
        dtype: Any = None,
        confidence: Array | None = None,
    ) -> Array:
        """Advantages ``(..., G)`` of responses; arguments as in `rewards`, the last axis is the group.

        ``confidence``: probability ``(..., G)`` the policy gave to each response, for methods that weigh by it.
        Raises `InputError` if the last axis is not ``group_size``, if ``confidence`` is needed and missing or not in
        [0, 1), and for arrays that are no judged responses.
        """
        check_responses(correct, first_error, lengths, valid)
        check(
            not self.uses_log_prob or confidence is not None, "confidence", confidence, f"given for rule {self.name!r}"
        )

        # A group knows log-probabilities of steps: here the whole response is one step. The inner `where` keeps 0
        # out of the logarithm, whose warning and slope there nobody needs
        log_prob = None
        if confidence is not None:
            check_confidence(confidence, correct)
            xp = array_namespace(confidence)
            possible = confidence > 0
            log_prob = xp.where(possible, xp.log(xp.where(possible, confidence, 1.0)), -inf)[..., None]
        return self.group_advantages(Group(correct, first_error, lengths, None, log_prob, valid, dtype))

    def group_advantages(self, group: Group) -> Array:
        """Advantages ``(..., G)`` of a group; 0 in groups that are not learnt from. Raises as `advantages`."""
        size = group.correct.shape[-1]
        check(size == self.group_size, "correct.shape[-1]", size, f"{self.group_size}, the rule's group_size")
        check(
            group.valid is None or self.objective.by_sign,
            "valid",
            "given",
            f"None with {self.objective}: it is on pairs",
        )

        # A method that learns from every group has nothing to set to 0
        rewards = self.reward(group)
        advantages = self.baseline.advantages(group, rewards)
        if not isinstance(self.keep, EveryGroup):
            kept = self.keep(group, rewards)[..., None]
            advantages = group.xp.where(kept, advantages, group.xp.zeros_like(advantages))

        # A reference solution is learnt as it is: weight 1 is its log-likelihood
        if group.taught is None:
            return advantages
        return group.xp.where(group.taught, group.xp.ones_like(advantages), advantages)

    def kept(self, group: Group) -> Array:
        """Boolean ``(...)``: the groups that the method learns from."""
        return self.keep(group, self.reward(group))

    def _left_out(self, group: Group) -> Array | None:
        """Boolean ``(..., 1, 1)``: groups whose weights must be 0 although no advantage says so; None: no such ones.

        An objective on pairs pulls log-ratios together also where all advantages are 0.
        """
        if isinstance(self.keep, EveryGroup) or self.objective.by_sign:
            return None
        return ~self.kept(group)[..., None, None]

    def question_weights(self, group: Group) -> Array | None:
        """How much each question of a batch counts ``(..., Q)``, 0 for groups left out; None: all the same."""
        left_out = self._left_out(group)
        if isinstance(self.across, Independent):
            return None if left_out is None else group.xp.astype(~left_out[..., 0, 0], group.floating)
        weights = self.across(self.reward(group), self.group_advantages(group))
        return _without(weights, None if left_out is None else left_out[..., 0, 0])

    def step_credit(self, group: Group, advantages: Array | None = None) -> Array:
        """Advantage ``(..., G, S)`` that acts on each step of a group, before the objective; 0 where none is learnt.

        ``advantages`` ``(..., G)``: of the group, if they are known already.
        """
        known = self.group_advantages(group) if advantages is None else advantages
        credit = self.credit(group, known)

        # Credit may come from the judge's verdict on each step instead of the advantages, so it is filtered itself
        if not isinstance(self.keep, EveryGroup):
            kept = self.kept(group)[..., None]
            kept = kept if group.taught is None else kept | group.taught
            credit = group.xp.where(kept[..., None], credit, group.xp.zeros_like(credit))
        return _only(group.learnt, credit)

    def weights(self, group: Group, log_ratio: Array | None = None) -> Array:
        """Weight ``(..., G, S)`` of every step.

        ``log_ratio`` ``(..., G, S)``: log-probability of each step under the current policy less that under the
        sampling one, nats, 0 for steps not written; None: the current policy has sampled, all are 0.
        Raises `InputError` as `advantages` does. Derived in docs/theory/step-weights.md#the-contract.
        """
        advantages = self.group_advantages(group)
        credit = self.step_credit(group, advantages)
        if log_ratio is None:
            log_ratio = array_namespace(credit).zeros_like(credit)
        compared = _only(group.learnt, self._against_reference(group, log_ratio))
        weights = self.objective.weights(advantages, credit, compared)
        return _only(group.learnt, _without(weights, self._left_out(group)))

    def value(self, group: Group, log_ratio: Array) -> Array:
        """What is maximized ``(...)``: its gradient in the log-ratios is `weights` over G. Arguments as there."""
        advantages = self.group_advantages(group)
        credit = self.step_credit(group, advantages)
        compared = _only(group.learnt, self._against_reference(group, log_ratio))
        terms = _without(self.objective.terms(advantages, credit, compared), self._left_out(group))
        xp = array_namespace(terms)
        return xp.mean(xp.sum(terms, axis=-1), axis=-1)

    def _against_reference(self, group: Group, log_ratio: Array) -> Array:
        """Log-ratios ``(..., G, S)`` to the policy that the objective compares with."""
        if not self.objective.uses_reference or group.reference_log_prob is None:
            return log_ratio
        check(group.log_prob is not None, "log_prob", group.log_prob, f"given with a reference for rule {self.name!r}")
        return log_ratio + (group.log_prob - group.reference_log_prob)

    def parts(self) -> dict[str, Any]:
        """The parts by name, in the order in which they act."""
        return {name: getattr(self, name) for name in PARTS}


METHOD = instance(Method, "an update rule, made by rule(...)")
"""What functions of the engine and the dynamics take as a rule."""


def _only(learnt: Array | None, values: Array) -> Array:
    """``values`` ``(..., G, S)`` with 0 where nothing is learnt from a step."""
    if learnt is None:
        return values
    xp = array_namespace(values)
    return xp.where(learnt, values, xp.zeros_like(values))


def _without(values: Array, left_out: Array | None) -> Array:
    """``values`` with 0 where ``left_out`` is true."""
    if left_out is None:
        return values
    xp = array_namespace(values, left_out)
    return xp.where(left_out, xp.zeros_like(values), values)


def with_clips(
    rule: Method, clip_low: float | None = None, clip_high: float | None = None, ratio: Ratio | None = None
) -> Method:
    """``rule`` with other clips, None for its own; raises `InputError` if its objective has none.

    ``clip_low``, ``clip_high``, ``ratio``: as in `spo_theory.parts.objectives.Clipped`. Returns a new method.

    Example:
        >>> from spo_theory import rule
        >>> with_clips(rule("grpo"), clip_high=0.28).objective
        Clipped(clip_low=0.2, clip_high=0.28, ratio='token')
    """
    METHOD.check("rule", rule)
    given = {"clip_low": clip_low, "clip_high": clip_high, "ratio": ratio}
    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if not changed:
        return rule

    # One refused clip is enough for the message: the objective takes all of them or none
    name, value = next(iter(changed.items()))
    check(isinstance(rule.objective, Clipped), name, value, f"None for rule {rule.name!r}: it does not clip")
    return replace(rule, objective=replace(rule.objective, **changed))  # type: ignore[type-var]
