import NIOCore
import NIOHTTP1

/// A plain HTTP client for tests: one connection for one request, and every step of it can be watched.
package struct TestClient: Sendable {
    package let port: Int

    package init(port: Int) { self.port = port }

    package struct NoResponse: Error {}

    package func get(_ path: String, _ headers: HTTPHeaders = [:]) async throws -> TestResponse {
        try await start("GET", path, headers).response()
    }

    package func head(_ path: String, _ headers: HTTPHeaders = [:]) async throws -> TestResponse {
        try await start("HEAD", path, headers).response()
    }

    package func request(_ method: String, _ path: String, _ headers: HTTPHeaders = [:]) async throws -> TestResponse {
        try await start(method, path, headers).response()
    }

    /// Sends a request and returns before anything has come back.
    package func start(_ method: String, _ path: String, _ headers: HTTPHeaders = [:]) async throws -> Exchange {
        let connection = try await RawConnection.open(port: port)
        var text = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        await connection.send(text + "\r\n")
        return Exchange(connection: connection, isHead: method == "HEAD")
    }

    /// A request under way.
    package struct Exchange: Sendable {
        package let connection: RawConnection
        let isHead: Bool

        /// Returns when the head and at least `count` bytes of the body are there, or the connection has ended.
        ///
        /// - Returns: How many bytes of the body have come.
        @discardableResult
        package func bodyBytes(atLeast count: Int) async -> Int {
            var wanted = 1
            while true {
                await connection.waitForBytes(wanted)
                let bytes = connection.received.readableBytesView
                if let end = TestResponse.endOfHead(bytes) {
                    let body = bytes.endIndex - end
                    if body >= count || connection.isClosed { return body }
                    wanted = bytes.count + count - body
                } else if connection.isClosed {
                    return 0
                } else {
                    wanted = bytes.count + 1
                }
            }
        }

        /// The whole response, when the peer has closed.
        package func response() async throws -> TestResponse {
            await connection.waitForClose()
            guard let response = TestResponse(connection.received, toHead: isHead) else { throw NoResponse() }
            return response
        }
    }
}
