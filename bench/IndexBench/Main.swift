import Foundation
import LMDBIndex
import Logging
import MirrorCore
import OCI

/// What the index costs with many entries, beside what it costs with few.
///
///     BENCH=1 swift build -c release --product index-bench
///     .build/release/index-bench [--sizes 10000,100000,1000000] [--rounds 7] [--keep DIRECTORY] [--json FILE]
@main
enum Main {
    static func main() async throws {
        let options = try Options(Array(CommandLine.arguments.dropFirst()))
        let directory = options.keep ?? NSTemporaryDirectory() + "tidepool-index-\(UUID().uuidString)"
        defer { if options.keep == nil { try? FileManager.default.removeItem(atPath: directory) } }
        var subjects: [FilledIndex] = []
        for size in options.sizes {
            subjects.append(try await FilledIndex(blobs: size, in: "\(directory)/\(size)/index"))
            print("filled \(size) in \(subjects[subjects.count - 1].fillTime)", to: &standardError)
        }
        var results = subjects.map { Series(blobs: $0.blobs, fileBytes: $0.fileBytes) }
        // Interleaved, so that what else the machine does falls on all of them.
        for round in 0..<options.rounds {
            for (number, subject) in subjects.enumerated() {
                try await results[number].add(try subject.measure(round))
            }
        }
        print(Series.table(results))
        if let path = options.json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(results.map(\.medians)).write(to: URL(fileURLWithPath: path))
        }
    }
}

private struct Options {
    var sizes = [10_000, 100_000, 1_000_000]
    var rounds = 7
    var keep: String?
    var json: String?

    struct Wrong: Error {
        var argument: String
    }

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else { throw Wrong(argument: name) }
            switch name {
            case "--sizes": sizes = value.split(separator: ",").compactMap { Int($0) }
            case "--rounds": rounds = Int(value) ?? rounds
            case "--keep": keep = value
            case "--json": json = value
            default: throw Wrong(argument: name)
            }
        }
    }
}

private struct StandardError: TextOutputStream {
    mutating func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

nonisolated(unsafe) private var standardError = StandardError()
