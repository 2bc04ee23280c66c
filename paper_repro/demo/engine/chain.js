// The reasoning chain: outcome classes, their probabilities and scores, and a judge that errs.
// Source: docs/theory/setting.md, docs/theory/judges.md.
"use strict";

/**
 * One question, one update rule and one judge: all that the engine has to know.
 * @typedef {Object} Setting
 * @property {string} method Name of the update rule, as registered in Python.
 * @property {number} groupSize Responses per question, G.
 * @property {number} horizon Steps of a question, H.
 * @property {number} beta Slope of the colouring.
 * @property {number} gamma RTS that earns half a reward.
 * @property {"all_negative" | "all_incorrect"} scope Which incorrect responses are coloured.
 * @property {number} miss Probability that the judge passes a wrong step.
 * @property {number} falseAlarm Probability that the judge calls a right step wrong.
 */

/**
 * @param {number} logit
 * @returns {number} The probability of a right step.
 */
function sigmoid(logit) {
  const e = Math.exp(-Math.abs(logit));
  return (logit < 0 ? e : 1) / (1 + e);
}

/**
 * @param {number} probability Strictly between 0 and 1.
 * @returns {number} Its log-odds.
 */
function logit(probability) {
  return Math.log(probability) - Math.log1p(-probability);
}

/**
 * In class k < H the first k steps are right and the next one is wrong; in class H all steps are right.
 * @param {ArrayLike<number>} logits Of the H steps.
 * @returns {Float64Array} Probability of each of the H + 1 classes.
 */
function classProbabilities(logits) {
  const horizon = logits.length;
  const classes = new Float64Array(horizon + 1);
  let prefix = 1;
  for (let step = 0; step < horizon; step += 1) {
    classes[step] = prefix * sigmoid(-logits[step]);
    prefix *= sigmoid(logits[step]);
  }
  classes[horizon] = prefix;
  return classes;
}

/**
 * @param {number} outcome Class of the response.
 * @param {number} step Counted from 0.
 * @param {number} stepLogit Log-odds of that step.
 * @returns {number} Derivative of the log-probability of the class in the logit of the step.
 */
function stepScore(outcome, step, stepLogit) {
  if (step < outcome) {
    return sigmoid(-stepLogit);
  }
  return step === outcome ? -sigmoid(stepLogit) : 0;
}

/**
 * The judge reads the steps in order and stops at the first one that it calls wrong. Every step after the first error
 * is wrong too.
 * @param {number} horizon
 * @param {number} miss
 * @param {number} falseAlarm
 * @returns {Float64Array[]} Row k: probabilities that a response of class k < H is judged to fail first after
 *     0, ..., H - 1 steps, or (the last entry) nowhere.
 */
function confusion(horizon, miss, falseAlarm) {
  const rows = [];
  for (let outcome = 0; outcome < horizon; outcome += 1) {
    const row = new Float64Array(horizon + 1);
    let passed = 1;
    for (let step = 0; step < horizon; step += 1) {
      const flagged = step < outcome ? falseAlarm : 1 - miss;
      row[step] = passed * flagged;
      passed *= 1 - flagged;
    }
    row[horizon] = passed;
    rows.push(row);
  }
  return rows;
}
