import NIOHTTP1

/// What a server answers, before faults are applied.
struct HubReply: Sendable {
    var status: HTTPResponseStatus
    var headers = HTTPHeaders()
    var content: Content?
    /// The part of the content that is sent.
    var range: Range<Int>?
    /// Why a mirror should never have asked this; `nil` when it may.
    var complaint: String?

    init(_ status: HTTPResponseStatus, _ headers: HTTPHeaders = [:], content: Content? = nil) {
        self.status = status
        self.headers = headers
        self.content = content
    }

    /// A JSON document.
    static func json(_ status: HTTPResponseStatus, _ document: String, _ headers: HTTPHeaders = [:]) -> HubReply {
        var headers = headers
        headers.replaceOrAdd(name: "content-type", value: "application/json")
        return HubReply(status, headers, content: Content(document))
    }

    /// An error envelope of the distribution specification.
    static func error(_ status: HTTPResponseStatus, _ code: String, _ headers: HTTPHeaders = [:]) -> HubReply {
        .json(status, #"{"errors":[{"code":"\#(code)","message":"scripted","detail":null}]}"#, headers)
    }

    /// The same answer, with the remark that it should not have been asked for.
    func complaining(_ text: String) -> HubReply {
        var reply = self
        reply.complaint = text
        return reply
    }

    /// The bytes of the content that the body is made of.
    var bodyRange: Range<Int> { range ?? 0..<(content?.count ?? 0) }
}
