/** Ranks 0 to n - 1, rank r with a probability proportional to 1 / (r + 1). @param random numbers in [0, 1) */
export function zipf(n: number, random: () => number): () => number {
  const cumulative = new Float64Array(n);
  let sum = 0;
  for (let rank = 0; rank < n; rank++) cumulative[rank] = sum += 1 / (rank + 1);
  return () => {
    const wanted = random() * sum;
    let [low, high] = [0, n - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle]! < wanted)
        low = middle + 1; // middle < n
      else high = middle;
    }
    return low;
  };
}
