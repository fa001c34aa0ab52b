import MirrorTesting
import NIOHTTP1
import OCI
import Testing

extension EndToEnd {
    /// The tests above believe the Hub and the scans; these say why they may.
    @Suite("The harness itself")
    struct HarnessTests {
        static let blob = Content(seed: 201, count: 300_000)
        static let path = "/v2/library/app/blobs/\(blob.digest)"

        @Test("without a token the Hub challenges, and a token for a private repository opens nothing")
        func challenge() async throws {
            try await with(HubOptions()) { hub, client in
                let owner = HubAccount(user: "u", password: "p")
                hub.publish(.single(seed: 202), as: "u/secret", tags: ["1"], owner: owner)
                let refused = try await client.get("/v2/u/secret/manifests/1")
                let challenge = try #require(refused.headers.first(name: "www-authenticate"))
                #expect(refused.status == 401)
                #expect(challenge.contains(#"service="registry.docker.io",scope="repository:u/secret:pull""#))

                let anonymous = try await token("u/secret", hub)
                let again = try await client.get("/v2/u/secret/manifests/1", ["Authorization": "Bearer \(anonymous)"])
                #expect(again.status == 401)
                #expect(again.headers.first(name: "www-authenticate")?.contains("insufficient_scope") == true)

                let owned = try await token("u/secret", hub, owner)
                let headers: HTTPHeaders = ["Authorization": "Bearer \(owned)", "Accept": "*/*"]
                #expect(try await client.get("/v2/u/secret/manifests/1", headers).status == 200)
                #expect(hub.secrets.contains(owned) && hub.secrets.contains("p"))
            }
        }

        @Test("manifest GETs spend the pull limit and HEADs do not; past it is 429")
        func quota() async throws {
            var options = Self.open
            options.quota = HubQuota(limit: 1)
            try await with(options) { hub, client in
                hub.publish(.single(seed: 203), as: "library/app", tags: ["1"])
                let path = "/v2/library/app/manifests/1"
                let head = try await client.head(path, ["Accept": "*/*"])
                #expect(head.headers["ratelimit-remaining"] == ["1;w=3600"])
                #expect(try await client.get(path, ["Accept": "*/*"]).status == 200)
                let refused = try await client.get(path, ["Accept": "*/*"])
                #expect(refused.status == 429 && refused.text.contains("TOOMANYREQUESTS"))
                #expect(hub.quota?.spent == 1)
            }
        }

        @Test("blobs are at the CDN, behind a signature, and Authorization is not welcome there")
        func redirect() async throws {
            try await with(Self.open) { hub, client in
                hub.publish(Self.blob, as: "library/app")
                let redirect = try await client.get(Self.path)
                #expect(redirect.status == 307)
                let location = try #require(redirect.headers.first(name: "location"))
                let cdn = TestClient(port: hub.port(of: .cdn))
                let target = String(location.dropFirst("http://127.0.0.1:\(hub.port(of: .cdn))".count))
                #expect(try await cdn.get(target).isExactly(Self.blob))
                let part = try await cdn.get(target, ["Range": "bytes=5-9"])
                #expect(part.status == 206 && part.body == Self.blob[5..<10])
                #expect(hub.complaints == [])
                #expect(try await cdn.get(target, ["Authorization": "Bearer x"]).status == 400)
                #expect(try await cdn.get(target + "x").status == 403)
                #expect(hub.complaints.count == 2)
            }
        }

        @Test("faults play as often as they were scripted, and as they say")
        func faults() async throws {
            var options = Self.open
            options.redirectsBlobs = false
            try await with(options) { hub, client in
                hub.publish(Self.blob, as: "library/app")
                let matcher = RequestMatcher(.GET, kind: .blob)
                hub.script(matcher, .cut(after: 1000))
                hub.script(matcher, .corrupt(at: 7))
                hub.script(matcher, .chunked, .without(header: "docker-content-digest"))
                hub.script(matcher, .respond(.serviceUnavailable, body: "no"))
                hub.script(matcher, .reset)
                let cut = try await client.get(Self.path)
                #expect(cut.body.count == 1000 && !cut.isComplete)
                let corrupt = try await client.get(Self.path)
                #expect(corrupt.isComplete && !corrupt.isExactly(Self.blob))
                let chunked = try await client.get(Self.path)
                #expect(chunked.isExactly(Self.blob) && !chunked.headers.contains(name: "content-length"))
                #expect(chunked.digestHeader == nil)
                #expect(try await client.get(Self.path).status == 503)
                await #expect(throws: TestClient.NoResponse.self) { try await client.get(Self.path) }
                #expect(try await client.get(Self.path).isExactly(Self.blob))
            }
        }

        @Test("what is not there is a complaint unless it was declared, and so are writes and ns")
        func complaints() async throws {
            try await with(Self.open) { hub, client in
                hub.publish(.single(seed: 204), as: "library/app", tags: ["1"])
                hub.expectMissing(RequestMatcher(kind: .manifest, reference: "declared"))
                _ = try await client.get("/v2/library/app/manifests/declared")
                #expect(hub.complaints == [])
                _ = try await client.get("/v2/library/app/manifests/other")
                _ = try await client.request("PUT", "/v2/library/app/manifests/1", ["Content-Length": "0"])
                _ = try await client.get("/v2/?ns=docker.io")
                #expect(hub.complaints.count == 3)
            }
        }

        @Test("a secret in a file or a text is found")
        func scan() throws {
            let directory = try TemporaryDirectory("scan")
            try directory.write("harmless", to: "index/a")
            #expect(SecretScan.leaks(of: ["s3cret"], below: directory.path) == [])
            try directory.write("\u{0}\u{7f}xs3cretx", to: "index/b")
            #expect(SecretScan.leaks(of: ["s3cret"], below: directory.path).count == 1)
            #expect(SecretScan.leaks(of: ["s3cret"], in: ["log": "a s3cret", "other": ""]).count == 1)
        }

        private static var open: HubOptions {
            var options = HubOptions()
            options.authentication = .open
            return options
        }

        private func with(_ options: HubOptions, _ body: (ScriptedHub, TestClient) async throws -> Void) async throws {
            let hub = try await ScriptedHub.start(options)
            try await body(hub, TestClient(port: hub.port(of: .registry)))
            await hub.stop()
        }

        private func token(
            _ repository: String,
            _ hub: ScriptedHub,
            _ account: HubAccount? = nil
        ) async throws -> String {
            let path = "/token?service=registry.docker.io&scope=repository:\(repository):pull"
            let login = account.map { "Basic " + Base64.encode("\($0.user):\($0.password)") }
            let headers: HTTPHeaders = login.map { ["Authorization": $0] } ?? [:]
            let response = try await TestClient(port: hub.port(of: .tokens)).get(path, headers)
            let start = try #require(response.text.firstRange(of: #""token":""#))
            return String(response.text[start.upperBound...].prefix { $0 != "\"" })
        }
    }
}
