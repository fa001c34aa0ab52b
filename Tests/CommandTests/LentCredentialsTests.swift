import OCI
import Ocync
import Settings
import Testing

@testable import tidepool

@Suite("The credentials of an ocync file")
struct LentCredentialsTests {
    private static func lent(_ registries: String, settings: String = "") throws -> LentCredentials {
        let loaded = try MirrorSettings.load(
            text: "upstreams:\n  docker.io: { \(settings) }\n  ghcr.io: {}\n",
            file: "tidepool.yaml",
            environment: [:]
        )
        let ocync = try OcyncConfiguration.load(
            text: """
                registries:
                  hub: \(registries)
                  target: { url: docker.io, auth_type: basic, credentials: { username: pusher, password: other } }
                defaults: { source: hub, targets: target, tags: {} }
                mappings: [{ from: library/a }, { from: library/b }]
                """,
            file: "ocync.yaml",
            environment: [:]
        )
        return LentCredentials(of: ocync.configuration, to: loaded.settings)
    }

    @Test("those of a source are used, whatever name of Docker Hub it has; a target's are not")
    func basic() throws {
        let hub =
            "{ url: \"https://index.docker.io/\", auth_type: basic, credentials: { username: me, password: pass } }"
        let lent = try Self.lent(hub)
        #expect(lent.settings.upstreams[0].credentials == .basic(username: "me", password: Secret("pass")))
        #expect(lent.settings.upstreams[1].credentials == .automatic)
        #expect(lent.refused.isEmpty)
    }

    @Test("empty ones, of variables that are not set, leave the settings as they are")
    func empty() throws {
        let hub = "{ url: docker.io, auth_type: basic, credentials: { username: \"\", password: \"\" } }"
        let lent = try Self.lent(hub, settings: "credentials: { username: mine, password: own }")
        #expect(lent.settings.upstreams[0].credentials == .basic(username: "mine", password: Secret("own")))
    }

    @Test("each kind that we have is used")
    func kinds() throws {
        #expect(
            try Self.lent("{ url: docker.io, auth_type: token, token: t }").settings.upstreams[0].credentials
                == .token(Secret("t"))
        )
        #expect(
            try Self.lent("{ url: docker.io, auth_type: docker_config }").settings.upstreams[0].credentials
                == .dockerConfig
        )
        #expect(
            try Self.lent("{ url: docker.io, auth_type: anonymous }").settings.upstreams[0].credentials == .anonymous
        )
        #expect(try Self.lent("{ url: docker.io }").settings.upstreams[0].credentials == .automatic)
    }

    @Test("a kind that we have not is an obstacle, unless the settings know a way in")
    func refused() throws {
        let lent = try Self.lent("{ url: docker.io, auth_type: ecr }")
        #expect(lent.refused["hub"]?.contains("auth_type ecr is not supported") == true)
        #expect(try Self.lent("{ url: docker.io, auth_type: ecr }", settings: "auth: anonymous").refused.isEmpty)
    }
}
