import Foundation
import Locking
import MirrorCore
import Testing

@testable import RegistryHTTP

@Suite("The control socket", .timeLimit(.minutes(1)))
struct ControlSocketTests {
    private let path = "/tmp/tp-control-\(UInt32.random(in: .min ... .max)).sock"

    private func withControlSocket(connections: Int = 10, _ body: (LiveServer) async throws -> Void) async throws {
        let configure = { (options: inout RegistryServer.Options) in
            options.controlSocket = path
            options.limits.connections = connections
        }
        try await withServer(configure, body: body)
    }

    private func request(_ target: String) async throws -> RawResponse {
        let client = try await RawClient(unixSocket: path)
        try await client.send("GET \(target) HTTP/1.1\r\nHost: tidepool\r\n\r\n")
        return try await client.response()
    }

    private var mode: Int? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? Int
    }

    @Test("it is the owner's only, and goes with the server")
    func life() async throws {
        try await withControlSocket { live async throws in
            #expect(mode == 0o600)
            #expect(try await request("/healthz").text == "ok\n")
            #expect(!live.address.isEmpty)
        }
        #expect(mode == nil)
    }

    @Test("its clients may have the upstream asked")
    func mayAsk() async throws {
        try await withControlSocket { live async throws in
            live.administration.quotas.withLock { $0 = [.dockerHub()] }
            #expect(try await request("/-/api/quota").body == QuotaReport([.dockerHub()]).json)
            #expect(live.administration.questions == [true])
            #expect(live.log.all.contains { $0.contains("client=local") })
        }
    }

    @Test(
        "the registry is not served on it",
        arguments: ["/v2/", "/v2/library/nginx/manifests/latest", "/dockerhub/v2/"]
    )
    func noRegistry(target: String) async throws {
        try await withControlSocket { live async throws in
            let response = try await request(target)
            #expect(response.status == 404)
            #expect(response.errorCode == "UNSUPPORTED")
            #expect(live.registry.calls.isEmpty)
        }
    }

    @Test("it answers while clients have taken up all connections")
    func beyondTheLimit() async throws {
        try await withControlSocket(connections: 1) { live async throws in
            let client = try await RawClient(live.address)
            try await client.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n")
            #expect(try await client.response().status == 200)
            #expect(try await request("/readyz").status == 200)
            // And does not keep clients out, once it is gone.
            try await client.send("GET /v2/ HTTP/1.1\r\nHost: m\r\n\r\n")
            #expect(try await client.response().status == 200)
        }
    }

    @Test("where it cannot be made the mirror runs all the same, and the log says why")
    func cannotBeMade() async throws {
        try Data("precious".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await withControlSocket { live async throws in
            #expect(try await live.request("/v2/").status == 200)
            let warnings = live.log.all.filter { $0.hasPrefix("warning no control socket") }
            #expect(warnings.count == 1 && warnings[0].contains(path), "\(live.log.all)")
        }
        // Not ours, so it stays.
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }
}
