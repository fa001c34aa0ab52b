import MirrorCore
import OCI

/// From a request's target to what it means: what the router does with one that it has not seen lately.
enum RegistryCases {
    static let all = [
        MicroCase(
            name: "route-tag",
            summary: "take apart the target of a manifest by tag",
            count: 1000,
            prepare: { _ in taking(apart: targets { Samples.target(.manifest, .tag(Samples.tag($0))) }) }
        ),
        MicroCase(
            name: "route-digest",
            summary: "take apart the target of a manifest by digest",
            count: 1000,
            prepare: { _ in
                taking(apart: targets { Samples.target(.manifest, .digest(Samples.digest($0, .manifest))) })
            }
        ),
        MicroCase(
            name: "resolve",
            summary: "find upstream and repository of a target that is taken apart",
            count: 1000,
            prepare: { _ in resolving() }
        ),
    ]

    private static func targets(_ target: (Int) -> String) -> [String] { (0..<64).map(target) }

    private static func taking(apart targets: [String]) -> MicroCase.Operation {
        { turn in
            guard let target = try? RequestTarget(targets[turn % targets.count]), let route = try? Route(target) else {
                return 0
            }
            return route.path.utf8.count
        }
    }

    private static func resolving() -> MicroCase.Operation {
        let names = ["ghcr.io", "quay.io", "registry.k8s.io", "mcr.microsoft.com", "public.ecr.aws"]
        var upstreams: [UpstreamName: [String]] = [.dockerHub: []]
        for name in names { upstreams[UpstreamName(name)] = [] }
        let directory = UpstreamDirectory(upstreams: upstreams, defaultUpstream: .dockerHub)
        let path = Samples.repository.name.text
        return { _ in
            guard let found = try? directory.resolve(path: path, prefix: nil, namespace: "docker.io") else { return 0 }
            return found.name.text.utf8.count
        }
    }
}
