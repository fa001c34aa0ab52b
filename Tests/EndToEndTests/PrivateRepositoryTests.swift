import MirrorTesting
import NIOHTTP1
import Testing

extension EndToEnd {
    @Suite("Private repositories, by every way of giving credentials")
    struct PrivateRepositoryTests {
        static let account = HubAccount(user: "alice", password: "pa55:word-N0t-For-L0gs")
        static let hubKey = "https://index.docker.io/v1/"

        /// Where the credentials come from.
        enum Source: String, CaseIterable, CustomTestStringConvertible {
            case settings
            case auths
            case credHelpers
            case credsStore

            var testDescription: String { rawValue }
        }

        @Test("a private repository is served with credentials from", arguments: Source.allCases)
        func served(source: Source) async throws {
            let home = try TemporaryDirectory("login")
            try await Stage.run { _, options in
                try Self.give(source, home, &options)
            } _: { stage in
                let image = stage.hub.publish(
                    .single(seed: 41),
                    as: "alice/secret",
                    tags: ["1"],
                    owner: Self.account
                )
                let manifest = try await stage.client.get("/v2/alice/secret/manifests/1")
                #expect(
                    manifest.isExactly(image.manifest.content),
                    "\(manifest.status) \(manifest.text)\n\(stage.mirror.log)"
                )
                for blob in image.blobs {
                    let response = try await stage.client.get("/v2/alice/secret/blobs/\(blob.digest)")
                    #expect(response.isExactly(blob))
                }
                try await Self.expectNoLeaks(stage, [manifest.text])
            }
        }

        @Test("without credentials the client is refused, never challenged, and nothing loops")
        func refused() async throws {
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 42), as: "alice/secret", tags: ["1"], owner: Self.account)
                for method in ["GET", "HEAD"] {
                    for path in ["/v2/alice/secret/manifests/1", "/v2/alice/nosuch/manifests/1"] {
                        let response = try await stage.client.request(method, path)
                        #expect([403, 404].contains(response.status), "\(method) \(path): \(response.status)")
                        #expect(!response.headers.contains(name: "www-authenticate"))
                        if method == "GET" { #expect(response.isError("DENIED", "NAME_UNKNOWN"), "\(response.text)") }
                    }
                }
                #expect(stage.hub.log.entries.count <= 12, "\(stage.hub.log)")
            }
        }

        @Test("wrong credentials are our fault: the client gets 5xx, no challenge, and the Hub is not hammered")
        func wrongPassword() async throws {
            try await Stage.run { hub, options in
                hub.addAccount(Self.account)
                options.dockerHub += ["auth: basic", "credentials: { username: alice, password: wr0ng-pa55 }"]
            } _: { stage in
                stage.hub.publish(.single(seed: 43), as: "alice/secret", tags: ["1"], owner: Self.account)
                let response = try await stage.client.get("/v2/alice/secret/manifests/1")
                #expect(response.status >= 500, "\(response.status) \(response.text)")
                #expect(!response.headers.contains(name: "www-authenticate"))
                #expect(!(stage.mirror.log + response.text).contains("wr0ng-pa55"))
                #expect(stage.hub.log.count(kind: .token) <= 3, "\(stage.hub.log)")
            }
        }

        @Test("credentials that a client sends go nowhere")
        func clientCredentials() async throws {
            try await Stage.run { stage in
                stage.hub.publish(.single(seed: 44), as: "library/app", tags: ["1"])
                let sent = "Basic " + Base64.encode("bob:cl1ent-pa55")
                let response = try await stage.client.get("/v2/library/app/manifests/1", ["Authorization": sent])
                #expect(response.status == 200)
                let forwarded = stage.hub.log.entries.filter { $0.request.authorization == sent }
                #expect(forwarded.isEmpty)
                #expect(!stage.mirror.log.contains(sent.dropFirst(6)))
            }
        }

        private static func give(
            _ source: Source,
            _ home: TemporaryDirectory,
            _ options: inout TidepoolProcess.Options
        ) throws {
            options.topLevel.append("log: { level: debug }")
            switch source {
            case .settings:
                options.dockerHub += [
                    "auth: basic",
                    #"credentials: { username: "${HUB_USER}", password: "${HUB_PASSWORD}" }"#,
                ]
                options.environment = ["HUB_USER": account.user, "HUB_PASSWORD": account.password]
                return
            case .auths:
                let login = Base64.encode("\(account.user):\(account.password)")
                try home.write(#"{"auths":{"\#(hubKey)":{"auth":"\#(login)"}}}"#, to: "config.json")
            case .credHelpers:
                try home.write(#"{"credHelpers":{"\#(hubKey)":"test"}}"#, to: "config.json")
                try writeHelper(home)
            case .credsStore:
                try home.write(#"{"auths":{"\#(hubKey)":{}},"credsStore":"test"}"#, to: "config.json")
                try writeHelper(home)
            }
            let path = Command.isolated["PATH"] ?? ""
            options.environment = ["DOCKER_CONFIG": home.path, "PATH": "\(home.path("bin")):\(path)"]
        }

        /// A `docker-credential-test` that answers `get` for Docker Hub alone.
        private static func writeHelper(_ home: TemporaryDirectory) throws {
            let answer = #"{"ServerURL":"\#(hubKey)","Username":"\#(account.user)","Secret":"\#(account.password)"}"#
            let script = """
                #!/bin/sh
                server=$(cat)
                if [ "$1" = get ] && [ "$server" = "\(hubKey)" ]; then
                  echo '\(answer)'
                else
                  echo 'credentials not found in native keychain'
                  exit 1
                fi

                """
            try home.write(script, to: "bin/docker-credential-test", executable: true)
        }

        private static func expectNoLeaks(_ stage: Stage, _ answers: [String]) async throws {
            let configuration = try await TidepoolProcess.run(
                ["check-config", stage.mirror.directory.path("tidepool.yaml")],
                environment: ["HUB_USER": account.user, "HUB_PASSWORD": account.password]
            )
            var texts = ["check-config": "\(configuration)"]
            for (number, answer) in answers.enumerated() { texts["answer \(number)"] = answer }
            #expect(SecretScan.leaks(of: stage.hub.secrets, in: texts) == [])
        }
    }
}
