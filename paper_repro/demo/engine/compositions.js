// Expected praise and blame apart, by summing over all compositions of a group: credit to the prefix needs both.
// Derived in docs/theory/step-weights.md#expected-weights.
"use strict";

/** The largest number of compositions that keeps a slider fast. */
const MOST_COMPOSITIONS = 20000;

/** Compositions that together have less than this chance are passed over. */
const UNLIKELY = 1e-17;

/** Thrown where there are too many compositions. */
class NoExactForm extends Error {}

/**
 * @param {number} responses
 * @param {number} classes
 * @returns {number} In how many ways the responses can fall into the classes.
 */
function compositionCount(responses, classes) {
  let count = 1;
  for (let place = 1; place < classes; place += 1) {
    count = (count * (responses + place)) / place;
  }
  return Math.round(count);
}

/**
 * @param {number} responses
 * @param {number} classes
 * @param {(counts: Int32Array) => void} visit Called with every composition, always in the same order.
 */
function eachComposition(responses, classes, visit) {
  const counts = new Int32Array(classes);
  /** @param {number} place @param {number} rest */
  function fill(place, rest) {
    if (place === classes - 1) {
      counts[place] = rest;
      visit(counts);
      return;
    }
    for (let count = 0; count <= rest; count += 1) {
      counts[place] = count;
      fill(place + 1, rest - count);
    }
  }
  fill(0, responses);
}

/**
 * @param {number} most
 * @returns {Float64Array[]} Binomial coefficients up to `most`.
 */
function pascal(most) {
  const rows = [Float64Array.of(1)];
  for (let n = 1; n <= most; n += 1) {
    const row = new Float64Array(n + 1).fill(1);
    for (let k = 1; k < n; k += 1) {
      row[k] = rows[n - 1][k - 1] + rows[n - 1][k];
    }
    rows.push(row);
  }
  return rows;
}

/**
 * Positive and negative part of the advantage of one response of each class, for every composition of the others.
 * @typedef {Object} Compositions
 * @property {number} others G - 1.
 * @property {number} classes
 * @property {Float64Array[]} binomials
 * @property {number[][]} sizes Compositions of 0, 1, ... responses over 0, 1, ... classes.
 * @property {Float64Array} praise Row by row: compositions, then classes.
 * @property {Float64Array} blame
 */

/**
 * @param {number[]} rewards Of the classes, strictly increasing, at least two.
 * @param {number} groupSize
 * @returns {Compositions}
 */
function compositionTable(rewards, groupSize) {
  const classes = rewards.length;
  const rows = compositionCount(groupSize - 1, classes);
  if (rows > MOST_COMPOSITIONS) {
    throw new NoExactForm(
      `Credit to the prefix alone is summed over all ways in which a group can turn out. These are ` +
        `${rows.toExponential(1)} here, and the page allows ${MOST_COMPOSITIONS}: take a smaller group or fewer steps.`,
    );
  }

  const praise = new Float64Array(rows * classes);
  const blame = new Float64Array(rows * classes);
  let row = 0;
  eachComposition(groupSize - 1, classes, (counts) => {
    for (let given = 0; given < classes; given += 1) {
      const advantage = advantageAmong(rewards, counts, given, groupSize);
      praise[row * classes + given] = Math.max(advantage, 0);
      blame[row * classes + given] = Math.min(advantage, 0);
    }
    row += 1;
  });

  // How many compositions a part of the group has over the last classes: what is passed over has to be counted
  const sizes = Array.from({ length: groupSize }, (_, rest) =>
    Array.from({ length: classes + 1 }, (_unused, some) => compositionCount(rest, some)),
  );
  return { others: groupSize - 1, classes, binomials: pascal(groupSize - 1), sizes, praise, blame };
}

/**
 * @param {number[]} rewards
 * @param {Int32Array} counts Of the other responses.
 * @param {number} given Class of the response.
 * @param {number} groupSize
 * @returns {number} Its advantage.
 */
function advantageAmong(rewards, counts, given, groupSize) {
  if (counts[given] === groupSize - 1) {
    return 0;
  }
  // Distances from the given reward: exact, and nothing cancels
  let sum = 0;
  for (let place = 0; place < rewards.length; place += 1) {
    sum += counts[place] * (rewards[place] - rewards[given]);
  }
  const mean = sum / groupSize;
  let square = mean * mean;
  for (let place = 0; place < rewards.length; place += 1) {
    square += counts[place] * (rewards[place] - rewards[given] - mean) ** 2;
  }
  return -mean / Math.sqrt(square / groupSize);
}

/**
 * @param {Compositions} table
 * @param {Float64Array} probabilities Of the classes; they need not sum to 1.
 * @returns {{praise: Float64Array, blame: Float64Array}} Expected positive and negative part for each class.
 */
function meanPraiseAndBlame(table, probabilities) {
  const { others, classes, binomials } = table;
  const praise = new Float64Array(classes);
  const blame = new Float64Array(classes);
  const powers = Array.from(probabilities, (p) => {
    const row = new Float64Array(others + 1).fill(1);
    for (let n = 1; n <= others; n += 1) {
      row[n] = row[n - 1] * p;
    }
    return row;
  });

  // Chance that a response falls into one of the classes from here on
  const behind = new Float64Array(classes + 1);
  for (let place = classes - 1; place >= 0; place -= 1) {
    behind[place] = behind[place + 1] + probabilities[place];
  }

  let cell = 0;
  /** @param {number} place @param {number} rest @param {number} chance */
  function descend(place, rest, chance) {
    if (chance * wholePower(behind[place], rest) < UNLIKELY) {
      cell += classes * table.sizes[rest][classes - place];
      return;
    }
    if (place === classes - 1) {
      const share = chance * powers[place][rest];
      for (let given = 0; given < classes; given += 1) {
        praise[given] += share * table.praise[cell];
        blame[given] += share * table.blame[cell];
        cell += 1;
      }
      return;
    }
    for (let count = 0; count <= rest; count += 1) {
      descend(place + 1, rest - count, chance * binomials[rest][count] * powers[place][count]);
    }
  }
  descend(0, others, 1);
  return { praise, blame };
}
