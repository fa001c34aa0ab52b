import Curl
import DiskStore
import Foundation
import Locking
import OCI
import Posix

/// Asks the mirror that owns a data directory, by its control socket.
enum ControlClient {
    /// Longer than the mirror takes for anything that it is asked here.
    private static let timeouts = TransferRequest.Timeouts(
        connect: .seconds(2),
        head: .seconds(10),
        stall: .seconds(5),
        total: .seconds(15)
    )
    /// For work that takes as long as it takes: the mirror says each second that it goes on.
    static let patience = TransferRequest.Timeouts(
        connect: .seconds(2),
        head: .seconds(30),
        stall: .seconds(60),
        total: nil
    )
    /// Far more than any answer has.
    private static let longest = 16 << 20

    /// The body of the answer to a GET, or `nil` when nobody listens.
    static func get(_ target: String, from socket: String) async throws -> [UInt8]? {
        let sink = CollectingSink()
        guard let status = try await send(target, .get, to: socket, timeouts, longest, sink) else { return nil }
        guard status == 200 else { throw ControlFailure(description: "\(socket): the mirror answered \(status)") }
        return sink.bytes
    }

    enum Answer {
        /// Nobody listens.
        case nobody
        case answered
        /// The answer broke off: the mirror has ended, or the task was cancelled.
        case cutOff
        /// Why it was not done.
        case refused(status: Int, message: String)
    }

    /// Calls `body` with each line of the answer as it comes, on a thread of its own.
    static func lines(
        of target: String,
        method: TransferRequest.Method,
        from socket: String,
        _ body: @escaping @Sendable ([UInt8]) -> Void
    ) async throws -> Answer {
        let sink = LineSink(body)
        let status: Int?
        do {
            status = try await send(target, method, to: socket, patience, nil, sink)
        } catch  where sink.hasBegun || Task.isCancelled {
            return .cutOff
        }
        guard let status else { return Task.isCancelled ? .cutOff : .nobody }
        guard status == 200 else {
            let envelope = try? JSONDecoder().decode(ErrorEnvelope.self, from: Data(sink.refusal))
            return .refused(
                status: status,
                message: envelope?.errors.first?.message ?? "\(socket): the mirror answered \(status)"
            )
        }
        return .answered
    }

    /// The status of the answer, whose body goes to `sink`; `nil` when nobody listens.
    private static func send(
        _ target: String,
        _ method: TransferRequest.Method,
        to socket: String,
        _ timeouts: TransferRequest.Timeouts,
        _ longest: Int?,
        _ sink: any TransferSink
    ) async throws -> Int? {
        guard try File.status(of: socket) != nil else { return nil }
        let loop = TransferLoop(name: "control")
        defer { loop.shutDown() }
        let name = try LocalSocketName(socket)
        defer { extendLifetime(name) }
        let request = TransferRequest(
            method,
            url: "http://tidepool\(target)",
            timeouts: timeouts,
            limits: .init(body: longest),
            connection: .init(proxy: "", unixSocket: name.text)
        )
        do throws(TransferError) {
            return try await loop.send(request, to: sink).status
        } catch {
            if error.code == .unreachable { return nil }
            throw ControlFailure(description: "\(socket): the mirror does not answer: \(error.message)")
        }
    }
}

struct ControlFailure: Error, CustomStringConvertible {
    let description: String
}

extension ControlFailure {
    /// Why neither the owner of a data directory nor the directory can be asked; `nil` when it has no owner.
    init?(_ error: DataDirectoryError, _ directory: String, socket: String) {
        guard case .held(_, let owner) = error else { return nil }
        description = """
            the data directory \(directory) belongs to \(owner.map { "\($0)" } ?? "another process"), \
            which does not answer on \(socket): it is starting or stopping, or its log says why it has no socket
            """
    }
}

/// Keeps a body.
private final class CollectingSink: TransferSink {
    private let body = Locked<[UInt8]>([])

    var bytes: [UInt8] { body.withLock { $0 } }

    func begin(_ head: ResponseHead) -> Bool { true }

    func receive(_ bytes: Span<UInt8>) -> Intake {
        let piece = bytes.indices.map { bytes[$0] }
        body.withLock { $0 += piece }
        return .taken
    }
}

/// Cuts a body into lines; a refusal's is kept.
final class LineSink: TransferSink {
    private struct State {
        var hasBegun = false
        var isRefusal = false
        var pending: [UInt8] = []
    }

    /// Far more than a line or a refusal has: an image's platforms and what each of them lacks.
    private static let longest = 64 << 20

    private let state = Locked(State())
    private let body: @Sendable ([UInt8]) -> Void

    init(_ body: @escaping @Sendable ([UInt8]) -> Void) {
        self.body = body
    }

    /// Whether there is an answer.
    var hasBegun: Bool { state.withLock { $0.hasBegun } }
    var refusal: [UInt8] { state.withLock { $0.pending } }

    func begin(_ head: ResponseHead) -> Bool {
        state.withLock { state in
            state.hasBegun = true
            state.isRefusal = head.status != 200
        }
        return true
    }

    func receive(_ bytes: Span<UInt8>) -> Intake {
        let piece = bytes.indices.map { bytes[$0] }
        let (lines, isTooLong) = state.withLock { state in
            state.pending += piece
            guard !state.isRefusal else { return ([ArraySlice<UInt8>](), state.pending.count > Self.longest) }
            var lines = state.pending.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            state.pending = lines.popLast().map(Array.init) ?? []
            return (lines, state.pending.count > Self.longest)
        }
        for line in lines where !line.isEmpty { body(Array(line)) }
        return isTooLong ? .refused : .taken
    }
}
