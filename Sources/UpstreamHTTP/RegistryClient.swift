import Curl
import MirrorCore
import OCI

/// Carries one question to a registry through challenges and redirects, to an answer.
struct RegistryClient: Sendable {
    /// A question.
    struct Call: Sendable {
        var kind: RequestKind
        /// Whose question it is; the queues on the way ask.
        var errand: Errand
        /// Whether it is about a manifest, which is what pull quotas count.
        var isManifest = false
        var method = TransferRequest.Method.get
        var repository: RepositoryName
        var start: Location
        var fields: [HeaderField] = []
        var use: BodyUse
        /// Whether a redirect to another host is gone after; if not, it is the answer.
        var leavesHost = true
    }

    /// Where a call has got to.
    private struct Course {
        var location: Location
        var hops = 0
        var hasRestarted = false
        var progress = Authoriser.Progress()
    }

    let requester: Requester
    let authoriser: Authoriser
    let meter: QuotaMeter

    /// The last answer: a success, or an error that neither authorisation nor another place could mend.
    ///
    /// `deadline` bounds the waits for leave to send, not the answers.
    func answer(to call: Call, until deadline: Duration) async throws(UpstreamError) -> Answer {
        var course = Course(location: call.start)
        while true {
            let origin = course.location.origin
            let presented = try await authoriser.presented(for: call.repository, at: origin, &course.progress)
            let request = request(call, course, presented, until: deadline)
            let answer =
                origin == requester.endpoint.origin
                ? try await meter.send(request, for: call, presenting: presented, by: requester)
                : try await requester.send(request)
            switch answer.status {
            case let status where Redirects.isRedirect(status):
                guard let target = try target(of: answer, call) else { return answer }
                course.hops += 1
                guard course.hops <= Redirects.limit else { throw .unusable("too many redirects") }
                // What was learnt is of the place that said it.
                if target.origin != origin { course.progress = Authoriser.Progress() }
                course.location = target
            case 401 where authoriser.governs(origin):
                try await authoriser.learn(
                    from: answer,
                    to: presented,
                    for: call.repository,
                    &course.progress
                )
            case 401, 403:
                guard course.hops > 0, !authoriser.governs(origin) else { return answer }
                // A signed URL that has run out, say: the registry gives a new one, once. After that it is an outage:
                // only the registry's own word is a denial.
                guard !course.hasRestarted else { throw .unavailable(.status(answer.status)) }
                course = Course(location: call.start, hasRestarted: true)
            default: return answer
            }
        }
    }

    private func request(
        _ call: Call,
        _ course: Course,
        _ presented: Authoriser.Presented,
        until deadline: Duration
    ) -> Requester.Request {
        Requester.Request(
            kind: course.hops == 0 ? call.kind : .redirect,
            method: call.method,
            location: course.location,
            fields: call.fields + [presented.field].compactMap(\.self),
            use: call.use,
            errand: call.errand,
            deadline: deadline,
            subject: call.repository.text
        )
    }

    /// Where a redirect leads, or `nil` when this call does not go there.
    private func target(of answer: Answer, _ call: Call) throws(UpstreamError) -> Location? {
        let insecureAllowed = !requester.endpoint.origin.isSecure
        let target = try Redirects.target(of: answer.head, from: answer.location, insecureAllowed: insecureAllowed)
        return call.leavesHost || target.origin.host == answer.location.origin.host ? target : nil
    }
}
