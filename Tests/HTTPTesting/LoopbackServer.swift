import Glibc
import Locking
import Posix

/// A loopback HTTP/1.1 server whose answers a closure gives, one call for each request.
///
/// Each connection has a thread, and is kept alive. Everything that was asked is in ``requests``.
package final class LoopbackServer: Sendable {
    package typealias Handler = @Sendable (Request) -> Response

    package let port: UInt16
    private let listener: Int32
    private let acceptor: DedicatedThread
    private let log: RequestLog

    package convenience init(_ handler: @escaping Handler) {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.init(listening: listening, port: bindToLoopback(listening), handler)
    }

    /// Listens on a Unix socket, which the caller removes.
    package convenience init(unixSocket path: String, _ handler: @escaping Handler) throws {
        self.init(listening: try LocalSocket.bind(path).takeRawValue(), port: 0, handler)
    }

    private init(listening: Int32, port: UInt16, _ handler: @escaping Handler) {
        let log = RequestLog()
        listener = listening
        self.port = port
        self.log = log
        listen(listening, 64)
        acceptor = DedicatedThread(name: "loopback-http") {
            var connections: [(socket: Int32, thread: DedicatedThread)] = []
            while true {
                let client = accept(listening, nil, nil)
                guard client >= 0 else { break }
                log.noteConnection()
                connections.append(
                    (client, DedicatedThread(name: "loopback-conn") { serve(client, log, handler) })
                )
            }
            // The server is going: end what is still open, a stall perhaps, and wait for it.
            for connection in connections {
                shutdown(connection.socket, Int32(SHUT_RDWR))
                connection.thread.join()
                Glibc.close(connection.socket)
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        acceptor.join()
        Glibc.close(listener)
    }

    package func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

    /// What has been asked, in the order it came.
    package var requests: [Request] { log.requests }

    /// How many connections there have been.
    package var connectionCount: Int { log.connectionCount }

    /// Waits until so many requests have come.
    package func waitForRequests(_ count: Int) async throws {
        while requests.count < count { try await Task.sleep(for: .milliseconds(2)) }
    }
}

/// A request as it came.
package struct Request: Hashable, Sendable {
    package var method: String
    /// Path and query, byte for byte.
    package var target: String
    /// Names in lower case.
    package var fields: [String: String]
    package var body: String

    package var line: String { "\(method) \(target)" }
    package var path: String { String(target.prefix { $0 != "?" }) }

    package subscript(name: String) -> String? { fields[name.lowercased()] }
}

/// What the server does with a request.
package enum Response: Sendable {
    case reply(Int, _ fields: [String: String] = [:], body: [UInt8] = [])
    /// Promises `length` bytes, sends fewer, and closes.
    case truncated(length: Int, body: [UInt8])
    /// Sends these bytes, whatever they are, and then nothing until the client goes away.
    case stall(after: String)
    /// Sends these bytes, whatever they are, and closes.
    case raw([UInt8])

    package static func text(_ status: Int, _ fields: [String: String] = [:], _ text: String) -> Response {
        .reply(status, fields, body: Array(text.utf8))
    }
}

private final class RequestLog: Sendable {
    private let state = Locked((requests: [Request](), connections: 0))

    var requests: [Request] { state.withLock { $0.requests } }
    var connectionCount: Int { state.withLock { $0.connections } }

    func note(_ request: Request) { state.withLock { $0.requests.append(request) } }
    func noteConnection() { state.withLock { $0.connections += 1 } }
}

/// Answers requests on one connection until either side has had enough.
private func serve(_ client: Int32, _ log: RequestLog, _ handler: LoopbackServer.Handler) {
    var reader = RequestReader(socket: client)
    while let request = reader.next() {
        log.note(request)
        guard play(handler(request), to: request, on: client) else { break }
    }
    shutdown(client, Int32(SHUT_RDWR))
}

/// Returns whether the connection goes on.
private func play(_ response: Response, to request: Request, on client: Int32) -> Bool {
    switch response {
    case .reply(let status, let fields, let body):
        var head = "HTTP/1.1 \(status) Status\r\n"
        var fields = fields
        if !fields.keys.contains(where: { ["content-length", "transfer-encoding"].contains($0.lowercased()) }) {
            fields["Content-Length"] = String(body.count)
        }
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        send(Array("\(head)\r\n".utf8) + (request.method == "HEAD" ? [] : body), on: client)
        return true
    case .truncated(let length, let body):
        send(Array("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n".utf8) + body, on: client)
        return false
    case .stall(let text):
        send(Array(text.utf8), on: client)
        var byte: UInt8 = 0
        _ = recv(client, &byte, 1, 0)
        return false
    case .raw(let bytes):
        send(bytes, on: client)
        return false
    }
}

private func send(_ bytes: [UInt8], on client: Int32) {
    var sent = 0
    while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes { Glibc.send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard count > 0 else { return }
        sent += count
    }
}

private struct RequestReader {
    let socket: Int32
    private var buffer: [UInt8] = []

    init(socket: Int32) { self.socket = socket }

    mutating func next() -> Request? {
        var end: Int?
        while true {
            end = headEnd
            if end != nil { break }
            guard fill() else { return nil }
        }
        guard let end else { return nil }
        let lines = String(decoding: buffer[..<end], as: UTF8.self).split(separator: "\r\n")
        buffer.removeFirst(end + 4)
        let parts = (lines.first ?? "").split(separator: " ").map(String.init)
        guard parts.count == 3 else { return nil }
        var request = Request(method: parts[0], target: parts[1], fields: [:], body: "")
        for line in lines.dropFirst() {
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2 else { continue }
            request.fields[pair[0].lowercased()] = String(pair[1].drop { $0 == " " })
        }
        let length = request["content-length"].flatMap { Int($0) } ?? 0
        while buffer.count < length { guard fill() else { return nil } }
        request.body = String(decoding: buffer.prefix(length), as: UTF8.self)
        buffer.removeFirst(length)
        return request
    }

    private var headEnd: Int? {
        guard buffer.count >= 4 else { return nil }
        return (0...buffer.count - 4).first { Array(buffer[$0..<$0 + 4]) == [13, 10, 13, 10] }
    }

    private mutating func fill() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 8192)
        let count = recv(socket, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        buffer += chunk.prefix(count)
        // A TLS handshake: there is no line to wait for.
        return buffer.first != 0x16
    }
}

/// Binds to any free loopback port and returns it.
private func bindToLoopback(_ socket: Int32) -> UInt16 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            _ = bind(socket, pointer, size)
            _ = getsockname(socket, pointer, &size)
        }
    }
    return UInt16(bigEndian: address.sin_port)
}
