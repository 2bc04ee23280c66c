// GRPO on questions asked in part, and imitation. Derived in docs/theory/remedies.md.
"use strict";

/** Rules that use reference solutions or shorter questions; each is GRPO on a chain of fewer steps, or a lesson. */
const REMEDIES = ["hints", "easier_questions", "imitation"];

/** The rest of a question is worth asking for if it succeeds at least this often. */
const THRESHOLD = 0.25;

/**
 * A way to ask a question: steps before `given` stand in the prompt, steps from `asked` on are not asked for.
 * @typedef {Object} Portion
 * @property {number} given
 * @property {number} asked
 * @property {number} chance
 */

/**
 * @param {string} method One of REMEDIES, but imitation.
 * @param {ArrayLike<number>} logits Of the steps.
 * @returns {Portion[]}
 */
function portionsOf(method, logits) {
  const horizon = logits.length;
  if (method === "easier_questions") {
    return Array.from({ length: horizon }, (_, step) => ({ given: 0, asked: step + 1, chance: 1 / horizon }));
  }
  // Hints: as few given steps as leave a rest that succeeds often enough
  let rest = 1;
  let given = horizon;
  while (given > 0 && rest * sigmoid(logits[given - 1]) >= THRESHOLD) {
    given -= 1;
    rest *= sigmoid(logits[given]);
  }
  return [{ given: Math.min(given, horizon - 1), asked: horizon, chance: 1 }];
}

/**
 * @param {Form} form Of a method of REMEDIES.
 * @param {ArrayLike<number>} logits Of the steps.
 * @returns {Float64Array} Expected change of each logit, per unit of learning rate.
 */
function remedyUpdate(form, logits) {
  const update = new Float64Array(logits.length);
  if (form.setting.method === "imitation") {
    return update.map((_, step) => sigmoid(-logits[step]));
  }
  for (const { given, asked, chance } of portionsOf(form.setting.method, logits)) {
    const part = Float64Array.from(Array.from(logits).slice(given, asked));
    const short = prepare({ ...form.setting, method: "grpo", horizon: part.length });
    expectedUpdate(short, part).forEach((change, step) => {
      update[given + step] += chance * change;
    });
  }
  return update;
}
