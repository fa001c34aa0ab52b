import Curl
import FoundationEssentials
package import MirrorCore
package import OCI

extension RegistryUpstream {
    /// The most pages of a list that are asked for.
    private static let pageLimit = 200
    /// The largest page that is read, in bytes.
    private static let pageSizeLimit = 4 << 20
    /// The most that all pages of a list may come to, in bytes.
    static let listSizeLimit = 16 << 20

    package func tags(in repository: RepositoryName, for errand: Errand) async throws(UpstreamError) -> [String] {
        struct Page: Decodable {
            var tags: [String]?
        }
        var tags: [String] = []
        let call = listCall(.tags, errand, repository, path: "tags/list?n=1000", accept: MediaType.json)
        try await forEachPage(of: call) { (answer) throws(UpstreamError) in
            guard answer.status == 200 else { throw answer.error() }
            guard let page = try? JSONDecoder().decode(Page.self, from: Data(answer.body)) else {
                throw .unusable("a tag list that is not JSON")
            }
            tags += page.tags ?? []
            return true
        }
        return tags
    }

    package func referrers(
        of digest: Digest,
        in repository: RepositoryName,
        for errand: Errand
    ) async throws(UpstreamError) -> ReferrersAnswer {
        var call = listCall(.referrers, errand, repository, path: "referrers/\(digest)", accept: MediaType.ociIndex)
        // ghcr.io sends these on to a web page.
        call.leavesHost = false
        var pages: [[UInt8]] = []
        try await forEachPage(of: call) { (answer) throws(UpstreamError) in
            if Self.hasReferrers(answer) {
                pages.append(answer.body)
                return true
            }
            guard pages.isEmpty, Self.meansUnsupported(answer) else { throw answer.error() }
            return false
        }
        return pages.isEmpty ? .unsupported : .pages(pages)
    }

    /// Whether the answer is of the referrers API, by the test that clients make: the type, and no parameters to it.
    private static func hasReferrers(_ answer: Answer) -> Bool {
        answer.status == 200 && answer.head["Content-Type"]?.lowercased() == MediaType.ociIndex
    }

    private static func meansUnsupported(_ answer: Answer) -> Bool {
        switch answer.status {
        case 200, 400, 404, 405, 406, 410, 501: true
        case let status: Redirects.isRedirect(status)
        }
    }
}

// MARK: - Pages

extension RegistryUpstream {
    private func listCall(
        _ kind: RequestKind,
        _ errand: Errand,
        _ repository: RepositoryName,
        path: String,
        accept: String
    ) -> RegistryClient.Call {
        RegistryClient.Call(
            kind: kind,
            errand: errand,
            repository: repository,
            start: location(of: path, in: repository),
            fields: [HeaderField("Accept", accept)],
            use: .keep(limit: Self.pageSizeLimit)
        )
    }

    /// Asks for a list, page by page, for as long as there are more and `body` wants them.
    private func forEachPage(
        of call: RegistryClient.Call,
        _ body: (Answer) throws(UpstreamError) -> Bool
    ) async throws(UpstreamError) {
        var call = call
        var size = 0
        for _ in 0..<Self.pageLimit {
            let answer = try await reply(to: call, in: heads)
            size += answer.body.count
            guard size <= Self.listSizeLimit else { throw .unusable("a list that is too large") }
            guard try body(answer), let next = try Self.nextPage(after: answer) else { return }
            guard next != answer.location else { throw .unusable("a list whose next page is itself") }
            call.start = next
        }
        throw .unusable("a list of more than \(Self.pageLimit) pages")
    }

    /// Where the next page is, by the `Link` that says so.
    ///
    /// Registries behind proxies name themselves `http://` here, so only the host must be right; the rest of the origin
    /// stays what it was.
    private static func nextPage(after answer: Answer) throws(UpstreamError) -> Location? {
        guard let reference = answer.head.all("Link").lazy.compactMap(LinkField.next).first else { return nil }
        guard let target = answer.location.resolving(reference), target.origin.host == answer.location.origin.host
        else {
            throw .unusable("a next page on another host")
        }
        return Location(origin: answer.location.origin, target: target.target)
    }
}

/// RFC 8288's `Link` field, as far as paging needs it.
enum LinkField {
    /// The target of the first link with the relation `next`.
    static func next(_ value: String) -> String? {
        var rest = Substring(value)
        while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
            let target = rest[rest.index(after: open)..<close]
            // Parameters end at the next link; a target may hold commas, its parameters hold no `<`.
            let parameters = rest[rest.index(after: close)...].prefix { $0 != "<" }
            rest = rest[parameters.endIndex...]
            let relations = parameters.split { $0 == ";" || $0 == "," }.map { $0.filter { $0 != " " && $0 != "\"" } }
            if relations.contains(where: { $0.lowercased() == "rel=next" }) { return String(target) }
        }
        return nil
    }
}
