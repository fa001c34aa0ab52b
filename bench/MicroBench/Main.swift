import Foundation

/// Does one small piece of the work for a request, over and over: to be counted by callgrind, or timed.
///
///     BENCH=1 swift build -c release --product micro-bench
///     .build/release/micro-bench --list
///     .build/release/micro-bench CASE [--count N] [--index DIRECTORY]
///     .build/release/micro-bench --fill DIRECTORY
///
/// `bench/micro` runs all of it. Nothing here is asynchronous, so that all the work is on one thread and in one order.
@main
enum Main {
    static func main() {
        do {
            try run(Options(Array(CommandLine.arguments.dropFirst())))
        } catch {
            FileHandle.standardError.write(Data("micro-bench: \(error)\n".utf8))
            exit(64)
        }
    }

    private static func run(_ options: Options) throws {
        switch options.action {
        case .list:
            for known in MicroCase.all {
                print(known.name, known.count, known.summary, separator: "\t")
            }
        case .fill(let directory):
            try SampleIndex(directory: directory).fill()
        case .measure(let chosen):
            let directory = options.index ?? NSTemporaryDirectory() + "tidepool-micro-\(UUID().uuidString)"
            defer { if options.index == nil { try? FileManager.default.removeItem(atPath: directory) } }
            let count = options.count ?? chosen.count
            let result = try chosen.run(count, in: Scene(index: SampleIndex(directory: directory)))
            let nanoseconds = Int(result.duration / .nanoseconds(1))
            print(
                #"{"case":"\#(chosen.name)","count":\#(count),"nanoseconds":\#(nanoseconds),"#
                    + #""checksum":\#(result.checksum)}"#
            )
        }
    }
}

private struct Options {
    enum Action {
        case list
        case fill(String)
        case measure(MicroCase)
    }

    enum Wrong: Error, CustomStringConvertible {
        case argument(String)
        case noValue(String)
        case nothingToDo

        var description: String {
            switch self {
            case .argument(let text): "\(text) is neither an option nor a case; --list tells the cases"
            case .noValue(let name): "\(name) needs a value"
            case .nothingToDo: "which case? --list tells them"
            }
        }
    }

    var action: Action
    var count: Int?
    var index: String?

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        var action: Action?
        while let argument = rest.popFirst() {
            switch argument {
            case "--list": action = .list
            case "--fill": action = .fill(try Self.value(of: argument, in: &rest))
            case "--index": index = try Self.value(of: argument, in: &rest)
            case "--count":
                count = Int(try Self.value(of: argument, in: &rest)).flatMap { $0 >= 0 ? $0 : nil }
                if count == nil { throw Wrong.noValue(argument) }
            default:
                guard let known = MicroCase.all.first(where: { $0.name == argument }) else {
                    throw Wrong.argument(argument)
                }
                action = .measure(known)
            }
        }
        guard let action else { throw Wrong.nothingToDo }
        self.action = action
    }

    private static func value(of name: String, in rest: inout ArraySlice<String>) throws -> String {
        guard let value = rest.popFirst() else { throw Wrong.noValue(name) }
        return value
    }
}
