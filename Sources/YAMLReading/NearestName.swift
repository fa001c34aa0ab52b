extension String {
    /// The candidate that this was probably meant to be: the nearest one, if it is near.
    package func nearest(among candidates: [String]) -> String? {
        let distances = candidates.map { (candidate: $0, distance: editDistance(to: $0)) }
        guard let best = distances.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= Swift.max(2, count / 3) && best.distance < count ? best.candidate : nil
    }

    /// The number of insertions, deletions, replacements and swaps of neighbours between two texts.
    ///
    /// Hyphens and underscores are the same, as is the case of letters: `tagTTL` and `tag-ttl` are near `tag_ttl`.
    func editDistance(to other: String) -> Int {
        let left = Array(folded)
        let right = Array(other.folded)
        var twoBefore: [Int] = []
        var before = Array(0...right.count)
        for i in left.indices {
            var row = [i + 1]
            for j in right.indices {
                let replaced = before[j] + (left[i] == right[j] ? 0 : 1)
                var best = Swift.min(before[j + 1] + 1, row[j] + 1, replaced)
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    best = Swift.min(best, twoBefore[j - 1] + 1)
                }
                row.append(best)
            }
            twoBefore = before
            before = row
        }
        return before[right.count]
    }

    private var folded: String { String(lowercased().map { $0 == "-" ? "_" : $0 }) }
}
