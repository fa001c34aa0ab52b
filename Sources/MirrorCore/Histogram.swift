import Locking

/// How long things took, by two labels, as a Prometheus histogram.
///
/// Cheap enough for every request: an observation builds no string, and allocates for a new pair of labels only.
package final class Histogram: Sendable {
    /// The buckets' upper bounds, inclusive: from a hit to a request that has outlived every time budget.
    private static let bounds: [(seconds: String, limit: Duration)] = [
        ("0.001", .milliseconds(1)), ("0.0025", .microseconds(2500)), ("0.005", .milliseconds(5)),
        ("0.01", .milliseconds(10)), ("0.025", .milliseconds(25)), ("0.05", .milliseconds(50)),
        ("0.1", .milliseconds(100)), ("0.25", .milliseconds(250)), ("0.5", .milliseconds(500)), ("1", .seconds(1)),
        ("2.5", .milliseconds(2500)), ("5", .seconds(5)), ("10", .seconds(10)), ("25", .seconds(25)),
        ("60", .seconds(60)),
    ]

    private struct Labels: Hashable {
        var first: String
        var second: String
    }

    /// The durations of one pair of labels, to be kept by whoever enters them often.
    package final class Series: Sendable {
        private let counts = Locked(Counts())

        package func observe(_ duration: Duration) {
            let bucket = bounds.firstIndex { duration <= $0.limit } ?? bounds.count
            counts.withLock { $0.add(duration, to: bucket) }
        }

        fileprivate var snapshot: Counts { counts.withLock { $0 } }
    }

    fileprivate struct Counts {
        /// By bucket, each without the ones below it; the last is for what is above every bound.
        var counts = [Int](repeating: 0, count: bounds.count + 1)
        var sum = Duration.zero

        mutating func add(_ duration: Duration, to bucket: Int) {
            counts[bucket] += 1
            sum += duration
        }
    }

    private let name: String
    private let help: String
    private let labels: (String, String)
    private let series = Locked<[Labels: Series]>([:])

    package init(name: String, help: String, labels: (String, String)) {
        self.name = name
        self.help = help
        self.labels = labels
    }

    /// Enters a duration; the label values come from bounded sets, and need no escaping.
    package func observe(_ duration: Duration, _ first: String, _ second: String) {
        series(first, second).observe(duration)
    }

    /// The durations of a pair of labels.
    package func series(_ first: String, _ second: String) -> Series {
        let labels = Labels(first: first, second: second)
        return series.withLock { series in
            if let known = series[labels] { return known }
            let new = Series()
            series[labels] = new
            return new
        }
    }

    /// The family in the text format, series sorted.
    func text() -> String {
        let snapshot = series.withLock { $0 }
            .sorted { ($0.key.first, $0.key.second) < ($1.key.first, $1.key.second) }
        let header = "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        return snapshot.reduce(into: header) { text, entry in
            text += lines(
                entry.value.snapshot,
                "\(labels.0)=\"\(entry.key.first)\",\(labels.1)=\"\(entry.key.second)\""
            )
        }
    }

    private func lines(_ series: Counts, _ pairs: String) -> String {
        var text = ""
        var count = 0
        for (bound, added) in zip(Self.bounds.map(\.seconds) + ["+Inf"], series.counts) {
            count += added
            text += "\(name)_bucket{\(pairs),le=\"\(bound)\"} \(count)\n"
        }
        return text + "\(name)_sum{\(pairs)} \(series.sum / .seconds(1))\n\(name)_count{\(pairs)} \(count)\n"
    }
}
