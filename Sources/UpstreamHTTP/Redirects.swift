import Curl
import MirrorCore

/// Where an answer sends us on to.
enum Redirects {
    /// How many hops a request may take.
    static let limit = 5

    static func isRedirect(_ status: Int) -> Bool {
        switch status {
        case 301, 302, 303, 307, 308: true
        default: false
        }
    }

    /// The next place to ask.
    ///
    /// `insecureAllowed` is for registries that are themselves spoken to in plain HTTP.
    static func target(
        of head: ResponseHead,
        from location: Location,
        insecureAllowed: Bool
    ) throws(UpstreamError) -> Location {
        guard let reference = head["Location"], let target = location.resolving(reference) else {
            throw .unusable("a redirect to nowhere")
        }
        guard target.origin.isSecure || insecureAllowed else { throw .unusable("a redirect from https to http") }
        return target
    }
}
