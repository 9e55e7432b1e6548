/** Numbers of symmetric matrices in float64, row by row in one array. */

/**
 * The eigenvalues of a symmetric matrix, in no order: Householder's reduction to a tridiagonal matrix,
 * then the QL method with implicit shifts (Wilkinson and Reinsch 1971, `tred1` and `imtql1`).
 *
 * @param matrix [n, n]; its lower half is read, and overwritten
 */
export function symmetricEigenvalues(matrix: Float64Array, n: number): Float64Array {
  const { diagonal, beside } = tridiagonal(matrix, n);
  for (let l = 0; l < n; l++) {
    for (;;) {
      let m = l;
      while (
        m < n - 1 &&
        Math.abs(beside[m]) > Number.EPSILON * (Math.abs(diagonal[m]) + Math.abs(diagonal[m + 1]))
      ) m++;
      if (m === l) break;
      // A step from the small element beside `m` up to `l`.
      let g = (diagonal[l + 1] - diagonal[l]) / (2 * beside[l]);
      let r = Math.hypot(g, 1);
      g = diagonal[m] - diagonal[l] + beside[l] / (g + (g < 0 ? -r : r));
      let [sine, cosine, p] = [1, 1, 0];
      let i = m - 1;
      for (; i >= l; i--) {
        const f = sine * beside[i];
        const b = cosine * beside[i];
        r = Math.hypot(f, g);
        beside[i + 1] = r;
        if (r === 0) {
          diagonal[i + 1] -= p;
          beside[m] = 0;
          break;
        }
        sine = f / r;
        cosine = g / r;
        g = diagonal[i + 1] - p;
        r = (diagonal[i] - g) * sine + 2 * cosine * b;
        p = sine * r;
        diagonal[i + 1] = g + p;
        g = cosine * r - b;
      }
      if (i >= l) continue;
      diagonal[l] -= p;
      beside[l] = g;
      beside[m] = 0;
    }
  }
  return diagonal;
}

/** A tridiagonal matrix of the same eigenvalues: its diagonal, and what is right of each of that. */
function tridiagonal(a: Float64Array, n: number) {
  const diagonal = new Float64Array(n);
  const beside = new Float64Array(n);
  for (let i = n - 1; i > 0; i--) {
    // The reflection that makes row i zero left of the element beside the diagonal.
    const u = a.subarray(i * n, i * n + i);
    const length = Math.hypot(...u);
    const mirrored = u[i - 1] > 0 ? -length : length;
    beside[i - 1] = mirrored;
    if (length === 0) continue;
    u[i - 1] -= mirrored;
    const h = length * length - mirrored * (u[i - 1] + mirrored);
    // The rest becomes A - u qT - q uT, with p = A u / h and q = p - u (u p) / 2h.
    const q = new Float64Array(i);
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let k = 0; k <= j; k++) {
        sum += a[j * n + k] * u[k];
        if (k < j) q[k] += a[j * n + k] * u[j];
      }
      q[j] += sum;
    }
    let up = 0;
    for (let j = 0; j < i; j++) up += u[j] * (q[j] /= h);
    for (let j = 0; j < i; j++) q[j] -= u[j] * up / (2 * h);
    for (let j = 0; j < i; j++) {
      for (let k = 0; k <= j; k++) a[j * n + k] -= u[j] * q[k] + q[j] * u[k];
    }
  }
  for (let i = 0; i < n; i++) diagonal[i] = a[i * n + i];
  return { diagonal, beside };
}

/**
 * A matrix L with L LT = A, for a symmetric A without negative eigenvalues: Cholesky's method with the
 * largest pivot first, so that it may have eigenvalues of 0.
 *
 * @param matrix [n, n]
 * @returns L [n, n]; its rows are in the order of A's, so it is no triangle
 */
export function symmetricFactor(matrix: Float64Array, n: number): Float64Array {
  const rest = matrix.slice();
  const factor = new Float64Array(n * n);
  let largest = 0;
  for (let column = 0; column < n; column++) {
    let pivot = 0;
    for (let i = 1; i < n; i++) if (rest[i * n + i] > rest[pivot * n + pivot]) pivot = i;
    const value = rest[pivot * n + pivot];
    largest ||= value;
    // What is left is rounding.
    if (value <= n * Number.EPSILON * largest) break;
    const root = Math.sqrt(value);
    for (let i = 0; i < n; i++) factor[i * n + column] = rest[i * n + pivot] / root;
    for (let i = 0; i < n; i++) {
      const left = factor[i * n + column];
      if (left === 0) continue;
      for (let j = 0; j < n; j++) rest[i * n + j] -= left * factor[j * n + column];
    }
    // Exactly, so that this one is never a pivot again.
    rest[pivot * n + pivot] = 0;
  }
  return factor;
}

/** A B for [n, n] matrices; with `transposed`, AT B. */
export function product(a: Float64Array, b: Float64Array, n: number, transposed = false) {
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      const left = transposed ? a[k * n + i] : a[i * n + k];
      if (left === 0) continue;
      for (let j = 0; j < n; j++) result[i * n + j] += left * b[k * n + j];
    }
  }
  return result;
}
