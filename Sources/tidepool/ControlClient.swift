import Curl
import Locking
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
    /// Far more than any answer has.
    private static let longest = 16 << 20

    /// The body of the answer to a GET, or `nil` when nobody listens.
    static func get(_ target: String, from socket: String) async throws -> [UInt8]? {
        guard try File.status(of: socket) != nil else { return nil }
        let loop = TransferLoop(name: "control")
        defer { loop.shutDown() }
        let name = try LocalSocketName(socket)
        defer { extendLifetime(name) }
        let request = TransferRequest(
            url: "http://tidepool\(target)",
            timeouts: timeouts,
            limits: .init(body: longest),
            connection: .init(proxy: "", unixSocket: name.text)
        )
        let sink = CollectingSink()
        do {
            let status = try await loop.send(request, to: sink).status
            guard status == 200 else { throw ControlFailure(description: "\(socket): the mirror answered \(status)") }
            return sink.bytes
        } catch let error as TransferError {
            if error.code == .unreachable { return nil }
            throw ControlFailure(description: "\(socket): the mirror does not answer: \(error.message)")
        }
    }
}

struct ControlFailure: Error, CustomStringConvertible {
    let description: String
}

/// Keeps a body.
private final class CollectingSink: TransferSink {
    private let body = Locked<[UInt8]>([])

    var bytes: [UInt8] { body.withLock { $0 } }

    func begin(_ head: ResponseHead) -> Bool { true }

    func receive(_ bytes: Span<UInt8>) -> Bool {
        let piece = bytes.indices.map { bytes[$0] }
        body.withLock { $0 += piece }
        return true
    }
}
