// Expected standardized advantages for any group size. Derived in docs/theory/expected-advantages.md#quadrature.
//
// 1 / std is an integral over u, and exp(-u variance) one over the group's mean m. At a node (u, m) the responses are
// independent: a response of class c has the factor exp(-(u / G) (r_c - m)^2). This engine aims at 1e-11, the one in
// Python at 1e-15, so its nodes are further apart.
"use strict";

const LOG_STEP = 0.33; // spacing in t; the error falls like exp(-pi^2 / spacing)
const MEAN_STEP = 0.84; // spacing in standard deviations; the error falls like exp(-2 pi^2 / spacing^2)
const NEGLIGIBLE = 30; // exp(-30) is 1e-13
const DROPPED = 1e-15; // share of a result below which a node is left out
const LOWEST = -4.05; // t at which the outer rule starts
const UNSEEN = 1e-16; // what a node may add at most to be passed over for the probabilities at hand

/**
 * Nodes for fixed rewards. Only classes whose factor is not negligible are stored: at most nodes these are few.
 * @typedef {Object} Nodes
 * @property {number} groupSize
 * @property {number} classes
 * @property {number} range Of the rewards.
 * @property {Float64Array} weight Of each node.
 * @property {Int32Array} first First class stored for each node.
 * @property {Int32Array} offset Where the classes of each node start in the two tables, and the end of the last.
 * @property {Float64Array} factor exp(-(u / G) d^2), d the distance of the class's reward from m.
 * @property {Float64Array} moment The factor times d.
 */

/**
 * @param {number[]} rewards Of the classes, strictly increasing, at least two.
 * @param {number} groupSize
 * @returns {Nodes}
 */
function quadratureNodes(rewards, groupSize) {
  const range = rewards[rewards.length - 1] - rewards[0];
  const gaps = rewards.slice(1).map((reward, place) => reward - rewards[place]);
  const smallest = Math.min(...gaps) / range;
  const highest = Math.log((NEGLIGIBLE * groupSize ** 2) / (groupSize - 1) / smallest ** 2);

  const lists = { weight: [], first: [], offset: [0], factor: [], moment: [] };
  for (let t = LOWEST; t < highest + LOG_STEP; t += LOG_STEP) {
    const u = Math.exp(t - Math.exp(-t)) / range ** 2;
    const outer = Math.sqrt(u / Math.PI) * (1 + Math.exp(-t)) * LOG_STEP;
    addNodes(lists, rewards, groupSize, u, outer, range);
  }

  return {
    groupSize,
    classes: rewards.length,
    range,
    weight: Float64Array.from(lists.weight),
    first: Int32Array.from(lists.first),
    offset: Int32Array.from(lists.offset),
    factor: Float64Array.from(lists.factor),
    moment: Float64Array.from(lists.moment),
  };
}

/**
 * Add the nodes of one u. Rewards out of each other's reach have their own grids of means, each counted from one of
 * its rewards, so that differences stay exact.
 * @param {{weight: number[], first: number[], offset: number[], factor: number[], moment: number[]}} lists
 * @param {number[]} rewards
 * @param {number} groupSize
 * @param {number} u
 * @param {number} outer Weight of this u.
 * @param {number} range Of the rewards.
 */
function addNodes(lists, rewards, groupSize, u, outer, range) {
  const spacing = MEAN_STEP / Math.sqrt(2 * u);
  const reach = Math.sqrt(NEGLIGIBLE / u);
  const weight = ((outer * spacing * Math.sqrt(u / Math.PI)) * (groupSize - 1)) / groupSize;

  let start = 0;
  while (start < rewards.length) {
    let stop = start + 1;
    while (stop < rewards.length && rewards[stop] - rewards[stop - 1] <= 2 * reach) {
      stop += 1;
    }
    const width = rewards[stop - 1] - rewards[start];
    const last = Math.floor((width + reach) / spacing);
    for (let place = Math.ceil(-reach / spacing); place <= last; place += 1) {
      addNode(lists, rewards, groupSize, u, weight, rewards[start], place * spacing, range);
    }
    start = stop;
  }
}

/**
 * Add one node, unless it can reach no share of the result.
 * @param {{weight: number[], first: number[], offset: number[], factor: number[], moment: number[]}} lists
 * @param {number[]} rewards
 * @param {number} groupSize
 * @param {number} u
 * @param {number} weight
 * @param {number} origin The reward from which the mean is counted.
 * @param {number} mean
 * @param {number} range
 */
function addNode(lists, rewards, groupSize, u, weight, origin, mean, range) {
  // The factors of neighbours are the largest: they are one run of classes
  const distances = rewards.map((reward) => reward - origin - mean);
  const exponents = distances.map((d) => (u / groupSize) * d * d);
  const inside = exponents.map((exponent) => exponent < NEGLIGIBLE);
  const first = inside.indexOf(true);
  const stop = inside.lastIndexOf(true) + 1;

  // A single class has no partner to differ from, and a pair of the two largest factors bounds what a node adds
  if (first < 0 || stop - first < 2) {
    return;
  }
  const ordered = exponents.slice(first, stop).sort((a, b) => a - b);
  const most = weight * range * Math.exp(-ordered[1] - (groupSize - 1) * ordered[0]);
  if (most * (range / 2) <= DROPPED * range) {
    return;
  }

  lists.weight.push(weight);
  lists.first.push(first);
  for (let place = first; place < stop; place += 1) {
    const factor = Math.exp(-exponents[place]);
    lists.factor.push(factor);
    lists.moment.push(factor * distances[place]);
  }
  lists.offset.push(lists.factor.length);
}

/**
 * @param {number} base
 * @param {number} exponent A whole number, at least 0.
 * @returns {number} base to this power, 1 for 0 to the power of 0.
 */
function wholePower(base, exponent) {
  let result = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest >>= 1) {
    if (rest & 1) {
      result *= square;
    }
    square *= square;
  }
  return result;
}

/**
 * @param {Nodes} nodes
 * @param {Float64Array} probabilities Of the classes; they need not sum to 1.
 * @returns {Float64Array} Expected advantage of a response of each class: a form of degree G - 1.
 */
function meanAdvantages(nodes, probabilities) {
  const { weight, first, offset, factor, moment } = nodes;
  const found = new Float64Array(nodes.classes);
  for (let node = 0; node < weight.length; node += 1) {
    const from = offset[node];
    const to = offset[node + 1];
    const shift = first[node] - from;

    // Mean over one response of the factor, and of the factor times the distance
    let phi = 0;
    let psi = 0;
    for (let place = from; place < to; place += 1) {
      phi += probabilities[place + shift] * factor[place];
      psi += probabilities[place + shift] * moment[place];
    }

    // The sum over partners j of p_j (r_k - r_j) factor_k factor_j
    const share = weight[node] * wholePower(phi, nodes.groupSize - 2);
    if (share * nodes.range < UNSEEN) {
      continue;
    }
    for (let place = from; place < to; place += 1) {
      found[place + shift] += share * (moment[place] * phi - factor[place] * psi);
    }
  }
  return found;
}
