import Foundation

/// What one round gave.
struct Sample {
    /// Until it is ready.
    var opening: Duration
    var lookup: Duration
    /// Of a thousand blobs.
    var eviction: Duration
    var recordsRead: Int
}

/// The rounds of one size.
struct Series {
    let blobs: Int
    let fileBytes: Int
    private var samples: [Sample] = []

    struct Medians: Codable {
        var blobs: Int
        var fileMegabytes: Double
        var openingMilliseconds: Double
        var lookupMicroseconds: Double
        var evictionMilliseconds: Double
        var recordsRead: Double
    }

    init(blobs: Int, fileBytes: Int) {
        self.blobs = blobs
        self.fileBytes = fileBytes
    }

    mutating func add(_ sample: Sample) { samples.append(sample) }

    var medians: Medians {
        Medians(
            blobs: blobs,
            fileMegabytes: Double(fileBytes) / 1e6,
            openingMilliseconds: median { $0.opening / .milliseconds(1) },
            lookupMicroseconds: median { $0.lookup / .microseconds(1) },
            evictionMilliseconds: median { $0.eviction / .milliseconds(1) },
            recordsRead: median { Double($0.recordsRead) }
        )
    }

    private func median(_ value: (Sample) -> Double) -> Double {
        let sorted = samples.map(value).sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    /// A Markdown table, with the ratios to the first size.
    static func table(_ results: [Series]) -> String {
        let all = results.map(\.medians)
        guard let first = all.first else { return "" }
        let columns: [(name: String, value: (Medians) -> Double)] = [
            ("start ms", \.openingMilliseconds), ("lookup µs", \.lookupMicroseconds),
            ("evicting 1,000 ms", \.evictionMilliseconds), ("records read", \.recordsRead),
        ]
        var lines = ["| blobs | file MB |" + columns.map { " \($0.name) | ratio |" }.joined()]
        lines.append("|---:|---:|" + columns.map { _ in "---:|---:|" }.joined())
        for medians in all {
            var line = "| \(medians.blobs) | \(text(medians.fileMegabytes)) |"
            for column in columns {
                line += " \(text(column.value(medians))) | \(text(column.value(medians) / column.value(first))) |"
            }
            lines.append(line)
        }
        return lines.joined(separator: "\n")
    }

    private static func text(_ number: Double) -> String {
        String(format: number >= 100 ? "%.0f" : "%.2f", number)
    }
}
