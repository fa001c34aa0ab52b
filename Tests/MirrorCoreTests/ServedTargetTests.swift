import MirrorCore
import OCI
import Testing

@Suite("Repositories that are served under second names")
struct ServedTargetTests {
    private static let ecr = "123456789012.dkr.ecr.us-east-1.amazonaws.com"

    private static func repository(_ upstream: String, _ name: String) throws -> Repository {
        Repository(upstream: UpstreamName(upstream), name: try RepositoryName(name))
    }

    private let directory: UpstreamDirectory

    init() throws {
        directory = UpstreamDirectory(
            upstreams: [.dockerHub: ["dockerhub"], UpstreamName("cgr.dev"): [], UpstreamName("ghcr.io"): []],
            defaultUpstream: .dockerHub,
            targets: [
                ServedTarget(
                    name: "nginx",
                    registries: [Self.ecr],
                    repository: try Self.repository("cgr.dev", "chainguard/nginx")
                ),
                ServedTarget(
                    name: "team/app",
                    registries: ["Registry.example:5000", "docker.io"],
                    repository: try Self.repository("ghcr.io", "org/app")
                ),
            ]
        )
    }

    @Test(
        "a second name finds the source, with or without its registry",
        arguments: [
            // path, prefix, ns, result
            ("nginx", nil, nil, "cgr.dev/chainguard/nginx"),
            ("nginx", nil, ecr, "cgr.dev/chainguard/nginx"),
            ("nginx", nil, ecr.uppercased(), "cgr.dev/chainguard/nginx"),
            ("\(ecr)/nginx", nil, nil, "cgr.dev/chainguard/nginx"),
            ("nginx", ecr, nil, "cgr.dev/chainguard/nginx"),
            // Named twice, as BuildKit and k3s do.
            ("\(ecr)/nginx", nil, ecr, "cgr.dev/chainguard/nginx"), ("nginx", ecr, ecr, "cgr.dev/chainguard/nginx"),
            ("team/app", nil, nil, "ghcr.io/org/app"), ("team/app", nil, "registry.example:5000", "ghcr.io/org/app"),
            // What is no second name is what it always was.
            ("library/nginx", nil, nil, "docker.io/library/nginx"), ("redis", nil, nil, "docker.io/library/redis"),
            ("nginx", nil, "docker.io", "docker.io/library/nginx"),
            ("nginx", "dockerhub", nil, "docker.io/library/nginx"),
            ("docker.io/nginx", nil, nil, "docker.io/library/nginx"),
            ("team/app", nil, "docker.io", "docker.io/team/app"),
            ("team/other", nil, nil, "docker.io/team/other"), ("ghcr.io/team/app", nil, nil, "ghcr.io/team/app"),
        ] as [(String, String?, String?, String)]
    )
    func finds(path: String, prefix: String?, namespace: String?, expected: String) throws {
        let repository = try directory.resolve(path: path, prefix: prefix, namespace: namespace)
        #expect(repository.description == expected)
    }

    @Test(
        "a target registry has nothing but the second names",
        arguments: [
            ("redis", nil, ecr), ("\(ecr)/redis", nil, nil), ("redis", ecr, nil), ("team/app", nil, ecr),
            ("nginx", "ghcr.io", ecr),
        ] as [(String, String?, String?)]
    )
    func unknown(path: String, prefix: String?, namespace: String?) {
        #expect(throws: MirrorError.repositoryUnknown) {
            try directory.resolve(path: path, prefix: prefix, namespace: namespace)
        }
    }

    @Test("other registries stay unknown")
    func closed() {
        #expect(throws: MirrorError.upstreamUnknown("gcr.io")) {
            try directory.resolve(path: "nginx", prefix: nil, namespace: "gcr.io")
        }
    }
}
