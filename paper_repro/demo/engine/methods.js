// What each update rule does with one judged group. Source: docs/methods.md, docs/theory/step-weights.md.
"use strict";

/**
 * Advantage of a response in a group of `size` of which `count` are correct, for rules that look at outcomes alone.
 * @type {Record<string, (correct: boolean, count: number, size: number) => number>}
 */
const BY_OUTCOME = {
  grpo: (correct, count, size) => {
    if (count === 0 || count === size) {
      return 0;
    }
    return correct ? Math.sqrt((size - count) / count) : -Math.sqrt(count / (size - count));
  },
  dr_grpo: (correct, count, size) => (correct ? 1 : 0) - count / size,
  // One more response, a correct one, counts in the statistics
  ngrpo: (correct, count, size) => BY_OUTCOME.grpo(correct, count + 1, size + 1),
  sign: (correct) => (correct ? 1 : -1),
  raft: (correct) => (correct ? 1 : 0),
  rebel: (correct, count, size) => (size / (size - 1)) * BY_OUTCOME.dr_grpo(correct, count, size),
  reinforce_rej: (correct, count, size) => (count === 0 || count === size ? 0 : correct ? 1 : -1),
};

/** Rules that colour incorrect responses. */
const COLOURED = ["spo", "spo_prefix"];

/** Every rule that this engine knows; lens is GRPO with a penalty on confident wrong responses. */
const METHOD_NAMES = [...Object.keys(BY_OUTCOME), "lens", ...COLOURED];

/**
 * @param {string} method
 * @returns {(correct: boolean, count: number, size: number) => number} What the rule does in groups that it does not
 *     colour.
 */
function byOutcome(method) {
  return BY_OUTCOME[method] || BY_OUTCOME.grpo;
}

/**
 * @param {number} rts Right steps before the first error, as a share of all steps.
 * @param {Setting} setting
 * @returns {number} Reward of an incorrect response: always below that of a correct one.
 */
function colour(rts, setting) {
  const z = setting.beta * (rts - setting.gamma);
  const e = Math.exp(-Math.abs(z));
  return Math.min((z < 0 ? e : 1) / (1 + e), 1 - Number.EPSILON / 2);
}

/**
 * @param {ArrayLike<number>} rewards
 * @returns {number[]} Standardized advantages; exactly 0 if all rewards are equal.
 */
function standardize(rewards) {
  const values = Array.from(rewards);
  const low = Math.min(...values);
  const range = Math.max(...values) - low;
  if (range <= 0) {
    return values.map(() => 0);
  }
  // Mapped to [0, 1] first, so that neither large offsets nor tiny differences lose digits
  const unit = values.map((reward) => (reward - low) / range);
  const mean = unit.reduce((sum, reward) => sum + reward, 0) / unit.length;
  const variance = unit.reduce((sum, reward) => sum + (reward - mean) ** 2, 0) / unit.length;
  return unit.map((reward) => (reward - mean) / Math.sqrt(variance));
}

/**
 * A response: how far it really went, and how far the judge says it went.
 * @typedef {Object} Rollout
 * @property {number} outcome Its class: right steps before the first error, H if there is none.
 * @property {number} heard Right steps before the first error, as judged.
 */

/**
 * @param {Setting} setting
 * @param {Rollout[]} responses Of one group.
 * @returns {number[]} Reward of every response.
 */
function groupRewards(setting, responses) {
  const horizon = setting.horizon;
  const silent = responses.every((response) => response.outcome < horizon);
  const coloured = COLOURED.includes(setting.method) && (silent || setting.scope === "all_incorrect");
  return responses.map((response) => {
    if (response.outcome === horizon) {
      return 1;
    }
    return coloured ? colour(response.heard / horizon, setting) : 0;
  });
}

/**
 * @param {Setting} setting
 * @param {Rollout[]} responses Of one group.
 * @param {ArrayLike<number>} probabilities Of the classes, for a rule that weighs by confidence.
 * @returns {number[]} Advantage of every response.
 */
function groupAdvantages(setting, responses, probabilities) {
  if (COLOURED.includes(setting.method)) {
    return standardize(groupRewards(setting, responses));
  }

  const horizon = setting.horizon;
  const count = responses.filter((response) => response.outcome === horizon).length;
  const advantage = byOutcome(setting.method);
  return responses.map((response) => {
    if (setting.method === "lens" && count === 0) {
      const confidence = probabilities[response.outcome];
      return -confidence / (1 - confidence);
    }
    return advantage(response.outcome === horizon, count, setting.groupSize);
  });
}

/**
 * @param {Setting} setting
 * @param {Rollout[]} responses Of one group.
 * @param {number[]} advantages Of the responses.
 * @returns {number[][]} Weight of every step of every response; null where a response has no such step.
 */
function groupWeights(setting, responses, advantages) {
  const horizon = setting.horizon;
  return responses.map((response, place) => {
    const advantage = advantages[place];
    // Prefix credit: a wrong response with a positive advantage is praised for its right steps only
    const limited = setting.method === "spo_prefix" && response.outcome < horizon && advantage > 0;
    return Array.from({ length: horizon }, (_, step) => {
      if (step > response.outcome) {
        return null;
      }
      return limited && step >= response.heard ? 0 : advantage;
    });
  });
}
