import Foundation
import Posix

/// A client that sends just what it is told, right or wrong, and reads what comes.
///
/// Each call blocks a thread of its own, never the tasks that the server under test needs.
final class RawClient: Sendable {
    struct Closed: Error {}

    private let descriptor: Int32
    private let input = Input()

    private final class Input: @unchecked Sendable {
        // One test uses a client from one task at a time.
        var bytes: [UInt8] = []
    }

    init(_ address: String) async throws {
        let port = try present(UInt16(address.split(separator: ":").last ?? ""))
        descriptor = try await blocking {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard status == 0 else {
                Glibc.close(descriptor)
                throw Closed()
            }
            Self.limitWaiting(on: descriptor)
            return descriptor
        }
    }

    /// Connects to a Unix socket.
    init(unixSocket path: String) async throws {
        descriptor = try await blocking {
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            let name = try LocalSocketName(path)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name.text.utf8) }
            let status = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            extendLifetime(name)
            guard status == 0 else {
                Glibc.close(descriptor)
                throw Closed()
            }
            Self.limitWaiting(on: descriptor)
            return descriptor
        }
    }

    /// A server that does not answer fails the test, and does not hang it.
    private static func limitWaiting(on descriptor: Int32) {
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { Glibc.close(descriptor) }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws {
        try await blocking { [descriptor] in
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...]
                    .withUnsafeBytes {
                        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                    }
                guard count > 0 else { throw Closed() }
                sent += count
            }
        }
    }

    /// Reads one response.
    func response(toHead isHead: Bool = false) async throws -> RawResponse {
        try await blocking { [self] in
            let headEnd = try index(after: Array("\r\n\r\n".utf8))
            let head = String(decoding: input.bytes[..<headEnd], as: UTF8.self)
            input.bytes.removeFirst(headEnd)
            var response = try RawResponse(head)
            if isHead || response.status == 304 || response.status == 204 { return response }
            if response["transfer-encoding"] == "chunked" {
                (response.body, response.isComplete) = readChunks()
            } else if let length = response["content-length"].flatMap({ Int($0) }) {
                while input.bytes.count < length, receive() {}
                response.isComplete = input.bytes.count >= length
                response.body = Array(input.bytes.prefix(length))
                input.bytes.removeFirst(response.body.count)
            } else {
                while receive() {}
                response.body = input.bytes
            }
            return response
        }
    }

    /// Reads so many bytes of whatever comes.
    func bytes(_ count: Int) async throws -> [UInt8] {
        try await blocking { [self] in
            while input.bytes.count < count { guard receive() else { throw Closed() } }
            defer { input.bytes.removeFirst(count) }
            return Array(input.bytes.prefix(count))
        }
    }

    /// Reads until the server closes, and returns what came.
    func rest() async throws -> [UInt8] {
        try await blocking { [self] in
            while receive() {}
            defer { input.bytes = [] }
            return input.bytes
        }
    }

    /// Closes with a reset, as a client does that loses interest in the middle of a body.
    func reset() {
        // "Connecting" to no address is Linux's way to abort a connection and keep the descriptor.
        var nowhere = sockaddr()
        nowhere.sa_family = sa_family_t(AF_UNSPEC)
        connect(descriptor, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }

    /// Tells the server that no more is coming, and reads on.
    func closeOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    private func readChunks() -> ([UInt8], isComplete: Bool) {
        var body: [UInt8] = []
        while let lineEnd = try? index(after: Array("\r\n".utf8)) {
            let line = String(decoding: input.bytes[..<(lineEnd - 2)], as: UTF8.self)
            guard let size = Int(line, radix: 16) else { return (body, false) }
            while input.bytes.count < lineEnd + size + 2 { guard receive() else { return (body, false) } }
            body += input.bytes[lineEnd..<lineEnd + size]
            input.bytes.removeFirst(lineEnd + size + 2)
            if size == 0 { return (body, true) }
        }
        return (body, false)
    }

    private func index(after pattern: [UInt8]) throws -> Int {
        while true {
            if let range = input.bytes.firstRange(of: pattern) { return range.upperBound }
            guard receive() else { throw Closed() }
        }
    }

    private func receive() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        input.bytes += buffer[..<count]
        return true
    }
}

struct RawResponse {
    var status: Int
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    var isComplete = true

    init(_ head: String) throws {
        var lines = head.components(separatedBy: "\r\n").filter { !$0.isEmpty }
        let words = lines.removeFirst().split(separator: " ")
        status = try present(words.count > 1 ? Int(words[1]) : nil)
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers.append((parts[0].lowercased(), parts.last.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""))
        }
    }

    /// The first value of a header.
    subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

    func values(_ name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }

    /// Whether all were named by the same thread: each has its own prefix.
    static func haveSameThread(_ responses: RawResponse...) -> Bool {
        Set(responses.map { $0["x-request-id"]?.split(separator: "-").first }).count == 1
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The code of an error envelope.
    var errorCode: String? {
        let document = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        return (document?["errors"] as? [[String: Any]])?.first?["code"] as? String
    }
}

/// Runs a blocking body on a thread of its own.
func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        _ = DedicatedThread(name: "raw client") { continuation.resume(with: Result { try body() }) }
    }
}

/// The value, where there is one.
private func present<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw RawClient.Closed() }
    return value
}
