/// A program that tests use when it is there.
///
/// For `.enabled(if: ClientTool.skopeo.isInstalled, "skopeo is not installed")`.
package enum ClientTool: String, CaseIterable, Sendable {
    case skopeo
    case podman
    case ctr
    case containerd
    case dockerd
    case docker
    case dockerRegistry = "docker-registry"
    case curl
    case openssl
    case unshare

    package var path: String { Command.find(rawValue) ?? rawValue }

    package var isInstalled: Bool { Command.find(rawValue) != nil }
}
