import MirrorCore
import OCI
import Testing

@Suite("Which upstream a request means")
struct UpstreamDirectoryTests {
    let directory = UpstreamDirectory(
        upstreams: [
            .dockerHub: ["dockerhub"], UpstreamName("ghcr.io"): [], UpstreamName("quay.io"): [],
            UpstreamName("registry.example:5000"): ["example.internal"],
        ],
        defaultUpstream: .dockerHub
    )

    @Test(
        "finds the repository",
        arguments: [
            // path, prefix, ns, result
            ("nginx", nil, nil, "docker.io/library/nginx"),
            ("library/nginx", nil, nil, "docker.io/library/nginx"),
            ("library/nginx", nil, "docker.io", "docker.io/library/nginx"),
            ("nginx", nil, "registry-1.docker.io", "docker.io/library/nginx"),
            ("nginx", nil, "index.docker.io", "docker.io/library/nginx"),
            ("docker.io/library/nginx", nil, nil, "docker.io/library/nginx"),
            ("index.docker.io/nginx", nil, nil, "docker.io/library/nginx"),
            ("dockerhub/nginx", nil, nil, "docker.io/library/nginx"),
            ("nginx", "dockerhub", nil, "docker.io/library/nginx"),
            ("library/nginx", "docker.io", nil, "docker.io/library/nginx"),
            ("ghcr.io/org/app", nil, nil, "ghcr.io/org/app"),
            ("org/app", nil, "GHCR.IO", "ghcr.io/org/app"),
            // Named twice, as BuildKit and k3s do.
            ("ghcr.io/org/app", nil, "ghcr.io", "ghcr.io/org/app"),
            ("dockerhub/library/nginx", nil, "docker.io", "docker.io/library/nginx"),
            ("org/app", "ghcr.io", "ghcr.io", "ghcr.io/org/app"),
            // Another upstream's name is part of the repository.
            ("quay.io/org/app", nil, "ghcr.io", "ghcr.io/quay.io/org/app"),
            ("org/app", "quay.io", "ghcr.io", "ghcr.io/quay.io/org/app"),
            ("org/app", nil, "registry.example:5000", "registry.example:5000/org/app"),
            ("example.internal/app", nil, nil, "registry.example:5000/app"),
            ("org/deep/app", nil, nil, "docker.io/org/deep/app"),
            // A name alone is a repository, whatever it is called.
            ("ghcr.io", nil, nil, "docker.io/library/ghcr.io"),
        ] as [(String, String?, String?, String)]
    )
    func finds(path: String, prefix: String?, namespace: String?, expected: String) throws {
        let repository = try directory.resolve(path: path, prefix: prefix, namespace: namespace)
        #expect(repository.description == expected)
    }

    @Test(
        "refuses what is not configured: it is no open relay",
        arguments: [
            ("org/app", nil, "gcr.io"), ("gcr.io/org/app", nil, nil), ("org/app", "gcr.io", nil),
            ("org/app", nil, "169.254.169.254"), ("org/app", nil, "127.0.0.1:22"), ("org/app", nil, ""),
            ("org/app", "a/b", nil), ("../x", nil, nil), ("org/app", "unknown", "ghcr.io"),
        ] as [(String, String?, String?)]
    )
    func refuses(path: String, prefix: String?, namespace: String?) {
        let error = #expect(throws: MirrorError.self) {
            try directory.resolve(path: path, prefix: prefix, namespace: namespace)
        }
        guard case .upstreamUnknown = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("refuses a name that is none", arguments: ["UPPER/x", "a//b", "x/..", "a/", "", "a b"])
    func badNames(path: String) {
        #expect(throws: MirrorError.repositoryUnknown) {
            try directory.resolve(path: path, prefix: nil, namespace: nil)
        }
    }
}

@Suite("Globs")
struct GlobTests {
    @Test(
        "match by component",
        arguments: [
            ("library/*", "library/nginx", true), ("library/*", "library/a/b", false),
            ("library/*", "org/nginx", false),
            ("org/**", "org/a", true), ("org/**", "org/a/b/c", true), ("org/**", "org", true), ("**", "a/b", true),
            ("**/app", "x/y/app", true), ("**/app", "x/y/apps", false), ("v?.*", "v1.2", true),
            ("v?.*", "v10.2", false),
            ("*-alpine*", "1.2-alpine3", true), ("nginx", "nginx", true), ("", "", true), ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
        ]
    )
    func matches(pattern: String, name: String, expected: Bool) {
        #expect(Glob(pattern).matches(name) == expected)
    }
}
