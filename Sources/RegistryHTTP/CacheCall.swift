package import MirrorCore
import NIOHTTP1
package import OCI

/// A ``CareTask`` as a request of the control socket: `/-/api/cache/` and the name of the command.
///
/// What changes the cache is a POST, the rest a GET.
package struct CacheCall: Hashable, Sendable {
    package var task: CareTask

    static let prefix = "/-/api/cache/"

    package init(_ task: CareTask) {
        self.task = task
    }

    package enum Failure: Error, Hashable, Sendable {
        case notFound
        /// A parameter is missing, or is not what it should be.
        case parameter(String)
    }

    /// Reads a request's target.
    package init(_ target: RequestTarget) throws(Failure) {
        switch target.path.dropFirst(Self.prefix.count) {
        case _ where !target.path.hasPrefix(Self.prefix): throw .notFound
        case "ls": task = .list(incompleteOnly: target.parameter("incomplete") != nil)
        case "show": task = .show(try Self.image(target))
        case "rm": task = .remove(try Self.image(target))
        case "gc": task = .collect
        case "stats": task = .stats
        case "pin": task = .pin(try Self.image(target))
        case "unpin": task = .unpin(try Self.image(target))
        case "verify":
            task = .verify(
                VerifyOptions(
                    repairs: target.parameter("repair") != nil,
                    resumes: target.parameter("resume") != nil,
                    bytesPerSecond: try Self.rate(target)
                )
            )
        default: throw .notFound
        }
    }

    private static func image(_ target: RequestTarget) throws(Failure) -> String {
        guard let image = target.parameter("image") else { throw .parameter("image") }
        return image
    }

    private static func rate(_ target: RequestTarget) throws(Failure) -> Int? {
        guard let text = target.parameter("rate") else { return nil }
        guard let rate = Int(text), rate > 0 else { throw .parameter("rate") }
        return rate
    }

    // MARK: - For clients

    package var target: String {
        let (name, parameters) = nameAndParameters
        guard !parameters.isEmpty else { return Self.prefix + name }
        let query = parameters.map { "\($0)=\($1.queryEscaped)" }.joined(separator: "&")
        return "\(Self.prefix)\(name)?\(query)"
    }

    private var nameAndParameters: (String, [(String, String)]) {
        switch task {
        case .list(let incompleteOnly): ("ls", incompleteOnly ? [("incomplete", "1")] : [])
        case .show(let image): ("show", [("image", image)])
        case .remove(let image): ("rm", [("image", image)])
        case .collect: ("gc", [])
        case .stats: ("stats", [])
        case .pin(let image): ("pin", [("image", image)])
        case .unpin(let image): ("unpin", [("image", image)])
        case .verify(let options):
            (
                "verify",
                (options.repairs ? [("repair", "1")] : []) + (options.resumes ? [("resume", "1")] : [])
                    + (options.bytesPerSecond.map { [("rate", "\($0)")] } ?? [])
            )
        }
    }
}
