// A share in words for people.

export function percent(share, digits = 1) {
  const text = (100 * share).toFixed(digits);
  // Nothing is certain, and 99.97 % must not be printed as if it were.
  return Number(text) === 100 && share < 1 ? `> ${(100 - 10 ** -digits).toFixed(digits)} %` : `${text} %`;
}
