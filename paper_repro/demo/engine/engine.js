// Expected step weights, expected update and learning dynamics of an update rule on the chain, and sampled groups.
// The formulas are those of the Python package spo_theory; tests compare the two on random settings.
"use strict";

/**
 * What can be heard of an incorrect response.
 * @typedef {Object} Hearing
 * @property {number} judged Right steps before the first error, as the judge says.
 * @property {number} place Its reward's place among the different rewards.
 * @property {number} chance
 */

/**
 * All that does not depend on the logits. Classes of equal colour count as one.
 * @typedef {Object} Form
 * @property {Setting} setting
 * @property {Float64Array[]} heard Probability of each judgement of an incorrect response of each class.
 * @property {Hearing[][]} hearings The same for coloured rules, those that are possible.
 * @property {{correct: Float64Array, incorrect: Float64Array}} outcome Advantage, times a binomial coefficient, of a
 *     response among others of which 0, 1, ... are correct, in groups that are not coloured.
 * @property {boolean} withCorrect Whether a correct response is one of the coloured classes.
 * @property {Nodes | null} nodes Where the mean advantage suffices.
 * @property {Compositions | null} table Where praise and blame are needed apart.
 * @property {number} classes Number of different rewards.
 */

/**
 * @param {Setting} setting
 * @returns {Form} Raises NoExactForm where the exact sum would be too long.
 */
function prepare(setting) {
  const { horizon, groupSize } = setting;
  const heard = confusion(horizon, setting.miss, setting.falseAlarm);
  const outcome = outcomeTable(setting);
  const form = { setting, heard, hearings: [], outcome, withCorrect: false, nodes: null, table: null, classes: 0 };
  if (!COLOURED.includes(setting.method)) {
    return form;
  }

  // Different rewards of what can be heard, in increasing order; the reward 1 of a correct response is the last
  const colours = Array.from({ length: horizon + 1 }, (_, judged) => colour(judged / horizon, setting));
  const occurring = colours.filter((_, judged) => heard.some((row) => row[judged] > 0));
  const rewards = [...new Set(occurring)].sort((a, b) => a - b);
  form.hearings = heard.map((row) =>
    Array.from(row, (chance, judged) => ({ judged, place: rewards.indexOf(colours[judged]), chance })).filter(
      ({ chance }) => chance > 0,
    ),
  );
  form.withCorrect = setting.scope === "all_incorrect";
  if (form.withCorrect) {
    rewards.push(1);
  }

  form.classes = rewards.length;
  if (rewards.length > 1 && setting.method === "spo") {
    form.nodes = quadratureNodes(rewards, groupSize);
  } else if (rewards.length > 1) {
    form.table = compositionTable(rewards, groupSize);
  }
  return form;
}

/**
 * @param {Setting} setting
 * @returns {Form["outcome"]}
 */
function outcomeTable({ method, groupSize }) {
  const advantage = byOutcome(method);
  const table = { correct: new Float64Array(groupSize), incorrect: new Float64Array(groupSize) };
  let binomial = 1;
  for (let count = 0; count < groupSize; count += 1) {
    table.correct[count] = binomial * advantage(true, count + 1, groupSize);
    table.incorrect[count] = binomial * advantage(false, count, groupSize);
    binomial = (binomial * (groupSize - 1 - count)) / (count + 1);
  }
  return table;
}

/**
 * @param {Float64Array} probabilities Of the outcome classes.
 * @returns {number} Probability that a response is incorrect.
 */
function failureOf(probabilities) {
  let failure = 0;
  for (let outcome = 0; outcome < probabilities.length - 1; outcome += 1) {
    failure += probabilities[outcome];
  }
  return failure;
}

/**
 * @param {Form} form
 * @param {Float64Array} probabilities Of the outcome classes.
 * @returns {{correct: number, incorrect: number}} Expected advantages under outcome rewards.
 */
function outcomeAdvantages(form, probabilities) {
  const success = probabilities[probabilities.length - 1];
  const failure = failureOf(probabilities);
  const others = form.setting.groupSize - 1;

  // Horner's rule from both ends: powers of success grow with the count, those of failure shrink
  const powers = new Float64Array(others + 1).fill(1);
  for (let count = others - 1; count >= 0; count -= 1) {
    powers[count] = powers[count + 1] * failure;
  }
  const found = { correct: 0, incorrect: 0 };
  let power = 1;
  for (let count = 0; count <= others; count += 1) {
    found.correct += power * powers[count] * form.outcome.correct[count];
    found.incorrect += power * powers[count] * form.outcome.incorrect[count];
    power *= success;
  }
  return found;
}

/** Coloured groups that are rarer than this are passed over. */
const RARE = 1e-16;

/**
 * @param {Form} form
 * @param {Float64Array} probabilities Of the outcome classes.
 * @returns {{praise: Float64Array, blame: Float64Array}} Expected advantage of each coloured class, in two parts; where
 *     nobody needs them apart, praise holds their sum.
 */
function colouredAdvantages(form, probabilities) {
  const nothing = new Float64Array(form.classes);
  const rare = !form.withCorrect && wholePower(failureOf(probabilities), form.setting.groupSize - 1) < RARE;
  if (rare || form.classes < 2) {
    return { praise: nothing, blame: nothing };
  }

  // What is heard of the incorrect responses, and (in the wider scope) the correct ones
  const seen = new Float64Array(form.classes);
  form.hearings.forEach((hearings, outcome) => {
    for (const { place, chance } of hearings) {
      seen[place] += probabilities[outcome] * chance;
    }
  });
  if (form.withCorrect) {
    seen[form.classes - 1] = probabilities[probabilities.length - 1];
  }
  return form.table
    ? meanPraiseAndBlame(form.table, seen)
    : { praise: meanAdvantages(/** @type {Nodes} */ (form.nodes), seen), blame: nothing };
}

/**
 * @param {Form} form
 * @param {ArrayLike<number>} logits Of the steps.
 * @returns {Float64Array[]} Row k: expected weight of each step of a response of class k; 0 for steps not written.
 */
function expectedWeights(form, logits) {
  const { horizon, method } = form.setting;
  const probabilities = classProbabilities(logits);
  const rows = Array.from({ length: horizon + 1 }, () => new Float64Array(horizon));

  // Groups in which nothing is coloured
  const plain = form.withCorrect ? { correct: 0, incorrect: 0 } : outcomeAdvantages(form, probabilities);
  const failure = failureOf(probabilities);
  for (let outcome = 0; outcome <= horizon; outcome += 1) {
    let weight = outcome === horizon ? plain.correct : plain.incorrect;
    if (method === "lens" && outcome < horizon) {
      const confidence = probabilities[outcome];
      weight -= (confidence / (1 - confidence)) * wholePower(failure, form.setting.groupSize - 1);
    }
    rows[outcome].fill(weight, 0, Math.min(outcome + 1, horizon));
  }
  if (form.classes > 0) {
    addColoured(form, colouredAdvantages(form, probabilities), rows);
  }
  return rows;
}

/**
 * Add what coloured groups contribute.
 * @param {Form} form
 * @param {{praise: Float64Array, blame: Float64Array}} advantages Of the coloured classes.
 * @param {Float64Array[]} rows Changed: the expected weights.
 */
function addColoured(form, { praise, blame }, rows) {
  const horizon = form.setting.horizon;
  const limited = form.setting.method === "spo_prefix";
  form.hearings.forEach((hearings, outcome) => {
    for (const { judged, place, chance } of hearings) {
      // Prefix credit praises the steps before the error that was heard, and blames all
      for (let step = 0; step <= outcome; step += 1) {
        const praised = !limited || step < judged ? praise[place] : 0;
        rows[outcome][step] += chance * (praised + blame[place]);
      }
    }
  });

  if (form.withCorrect) {
    const weight = praise[form.classes - 1] + blame[form.classes - 1];
    for (let step = 0; step < horizon; step += 1) {
      rows[horizon][step] += weight;
    }
  }
}

/**
 * @param {Form} form
 * @param {ArrayLike<number>} logits Of the steps.
 * @returns {Float64Array} Expected change of each logit, per unit of learning rate.
 */
function expectedUpdate(form, logits) {
  if (REMEDIES.includes(form.setting.method)) {
    return remedyUpdate(form, logits);
  }
  const probabilities = classProbabilities(logits);
  const weights = expectedWeights(form, logits);
  const update = new Float64Array(logits.length);
  for (let step = 0; step < update.length; step += 1) {
    for (let outcome = step; outcome < probabilities.length; outcome += 1) {
      update[step] += probabilities[outcome] * weights[outcome][step] * stepScore(outcome, step, logits[step]);
    }
  }
  return update;
}

/**
 * @typedef {Object} Curve Means over the questions, one entry for the start and one after each update.
 * @property {Float64Array} success Probability of a correct response.
 * @property {Float64Array} allNegative Probability that no response of a group is correct.
 */

/**
 * @param {Form} form
 * @param {number[][]} questions Logits of the steps of each question.
 * @param {number} updates
 * @param {number} rate Learning rate.
 * @returns {Curve}
 */
function solve(form, questions, updates, rate) {
  const curve = { success: new Float64Array(updates + 1), allNegative: new Float64Array(updates + 1) };
  const size = form.setting.groupSize;
  for (const start of questions) {
    const logits = Float64Array.from(start);
    for (let time = 0; time <= updates; time += 1) {
      const probabilities = classProbabilities(logits);
      curve.success[time] += probabilities[logits.length] / questions.length;
      curve.allNegative[time] += wholePower(failureOf(probabilities), size) / questions.length;
      const update = expectedUpdate(form, logits);
      update.forEach((change, step) => {
        logits[step] += rate * change;
      });
    }
  }
  return curve;
}

/**
 * @param {ArrayLike<number>} values One for each update.
 * @param {number} level
 * @returns {number} Updates until the level is reached, linear between updates; NaN if it never is.
 */
function updatesTo(values, level) {
  for (let time = 0; time < values.length; time += 1) {
    if (values[time] >= level) {
      return time === 0 ? 0 : time - (values[time] - level) / (values[time] - values[time - 1]);
    }
  }
  return NaN;
}

/**
 * @param {number} seed A whole number.
 * @returns {() => number} A generator of numbers in [0, 1) (mulberry32): the same seed gives the same numbers.
 */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * @param {ArrayLike<number>} chances That sum to 1.
 * @param {number} draw In [0, 1).
 * @returns {number} The place into which the draw falls.
 */
function pick(chances, draw) {
  let above = draw;
  for (let place = 0; place < chances.length - 1; place += 1) {
    above -= chances[place];
    if (above < 0) {
      return place;
    }
  }
  return chances.length - 1;
}

/**
 * @param {Form} form
 * @param {ArrayLike<number>} logits Of the steps.
 * @param {() => number} random From `generator`.
 * @returns {Rollout[]} A sampled group, as the judge heard it.
 */
function sampleGroup(form, logits, random) {
  const { horizon, groupSize } = form.setting;
  const probabilities = classProbabilities(logits);
  return Array.from({ length: groupSize }, () => {
    const outcome = pick(probabilities, random());
    const judgement = random();
    return { outcome, heard: outcome === horizon ? horizon : pick(form.heard[outcome], judgement) };
  });
}

/**
 * @param {Form} form
 * @param {ArrayLike<number>} logits Of the steps.
 * @param {Rollout[]} responses A group.
 * @returns {{rewards: number[], advantages: number[], weights: number[][], update: Float64Array}} What the rule makes
 *     of it; update: of the logits, per unit of learning rate.
 */
function judgeGroup(form, logits, responses) {
  const setting = form.setting;
  const rewards = groupRewards(setting, responses);
  const advantages = groupAdvantages(setting, responses, classProbabilities(logits));
  const weights = groupWeights(setting, responses, advantages);

  const update = new Float64Array(setting.horizon);
  responses.forEach((response, place) => {
    update.forEach((_, step) => {
      const score = stepScore(response.outcome, step, logits[step]);
      update[step] += ((weights[place][step] ?? 0) * score) / responses.length;
    });
  });
  return { rewards, advantages, weights, update };
}
