import CCurl

/// One libcurl transfer.
///
/// Confined to the transfer thread: it is not `Sendable`, and is created, driven and destroyed there.
@safe
final class EasyHandle {
    let pointer: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private let fields: UnsafeMutablePointer<curl_slist>?
    private let request: TransferRequest
    private let sink: any TransferSink
    private let wakeAfterRest: @Sendable () -> Void
    private var parser = HeadParser()
    /// Bytes of the body that libcurl has given us.
    private var received = 0
    /// The last of them, while the sink has not been given them.
    private var gathered: [UInt8] = []
    /// Set by a callback that ends the transfer; says more than the result that libcurl makes of it.
    private var failure: TransferError?
    /// Whether some address of the name was refused: then that is why no connection came about.
    private var refusedAnAddress = false
    private let started = ContinuousClock.now
    private var lastProgress = ContinuousClock.now
    /// Whether the sink has taken no more, and libcurl holds the bytes back.
    private var isResting = false
    private(set) var head: ResponseHead?

    init(
        _ request: TransferRequest,
        sink: any TransferSink,
        goOn: @escaping @Sendable () -> Void
    ) throws(TransferError) {
        guard request.fields.allSatisfy(\.isSendable) else {
            throw TransferError(CURLE_BAD_FUNCTION_ARGUMENT, message: "a header field has a control character")
        }
        guard let pointer = unsafe curl_easy_init() else { throw TransferError(CURLE_FAILED_INIT) }
        unsafe self.pointer = pointer
        self.request = request
        self.sink = sink
        wakeAfterRest = goOn
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        unsafe fields = request.fields.reduce(nil) { unsafe curl_slist_append($0, "\($1.name): \($1.value)") }
        // From here every property is set, so a throw runs `deinit`.
        try set(request)
        try setCallbacks()
    }

    deinit {
        unsafe curl_easy_cleanup(pointer)
        unsafe curl_slist_free_all(fields)
        unsafe errorText.deallocate()
    }

    /// The handle that owns `pointer`.
    static func from(_ pointer: UnsafeMutableRawPointer?) -> EasyHandle {
        var context: UnsafeMutableRawPointer?
        _ = unsafe ccurl_getinfo_pointer(pointer, CURLINFO_PRIVATE, &context)
        return unsafe Unmanaged<EasyHandle>.fromOpaque(context!).takeUnretainedValue()
    }

    /// What the transfer came to.
    func outcome(_ result: CURLcode) -> Result<ResponseHead, TransferError> {
        if let failure { return .failure(failure) }
        if result == CURLE_OK, let head { return .success(head) }
        if result == CURLE_COULDNT_CONNECT, refusedAnAddress { return .failure(.addressRefused) }
        let text = unsafe String(cString: errorText)
        // No head and no error: the peer spoke something else (HTTP/0.9 is off).
        return .failure(
            TransferError(result == CURLE_OK ? CURLE_WEIRD_SERVER_REPLY : result, message: text, afterHead: head != nil)
        )
    }

    /// Whether any byte of the request has gone out.
    var hasSent: Bool {
        var size = 0
        _ = unsafe ccurl_getinfo_long(pointer, CURLINFO_REQUEST_SIZE, &size)
        return size > 0
    }

    /// The timeout that has run out, if one has; libcurl itself watches `connect` and `total`.
    func expiry(at now: ContinuousClock.Instant) -> TransferError? {
        let timeouts = request.timeouts
        if head == nil { return now - started > timeouts.connect + timeouts.head ? .headTimedOut : nil }
        guard !isResting else { return nil }
        return now - lastProgress > timeouts.stall ? .stalled : nil
    }

    /// Ends the rest, if there is one; returns why the transfer ends, if what was held back ends it.
    ///
    /// libcurl may hand over what it held back before this returns.
    func goOn() -> TransferError? {
        guard isResting else { return nil }
        isResting = false
        // The rest was ours: the peer's time starts anew.
        lastProgress = .now
        let result = unsafe ccurl_go_on(pointer)
        guard result != CURLE_OK else { return nil }
        return failure ?? TransferError(result, afterHead: true)
    }

    /// Gives the sink what was gathered while libcurl was at work; returns why the transfer ends, if the sink refuses it.
    func endTurn() -> TransferError? {
        guard !gathered.isEmpty else { return nil }
        let intake = sink.receive(gathered.span)
        gathered.removeAll(keepingCapacity: true)
        // After the sink, which may have waited for its disk: that is not the peer's stall.
        lastProgress = .now
        switch intake {
        case .taken: return nil
        case .refused: return TransferError(CURLE_WRITE_ERROR, afterHead: true)
        case .full: preconditionFailure("a body is not gathered for a sink that may be full")
        }
    }
}

// MARK: - Options

extension EasyHandle {
    private func set(_ request: TransferRequest) throws(TransferError) {
        try set(CURLOPT_URL, to: request.url)
        // Signed URLs must go out as they are, dots and double slashes included.
        try set(CURLOPT_PATH_AS_IS, to: 1)
        try set(CURLOPT_PROTOCOLS_STR, to: "http,https")
        try set(CURLOPT_DISALLOW_USERNAME_IN_URL, to: 1)
        // Redirects are the caller's: `Authorization` must not follow to another origin.
        try set(CURLOPT_FOLLOWLOCATION, to: 0)
        try set(CURLOPT_FAILONERROR, to: 0)
        // HTTP/2 where TLS negotiates it, never by an upgrade of plain HTTP.
        let version = request.connection.allowsHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
        try set(CURLOPT_HTTP_VERSION, to: Int(version))
        try unsafe check(ccurl_setopt_pointer(pointer, CURLOPT_HTTPHEADER, fields))
        try unsafe check(ccurl_setopt_pointer(pointer, CURLOPT_ERRORBUFFER, errorText))
        try set(CURLOPT_BUFFERSIZE, to: request.limits.chunk)
        try set(request.method)
        try set(request.timeouts)
        try set(request.connection)
    }

    private func set(_ method: TransferRequest.Method) throws(TransferError) {
        switch method {
        case .get: try set(CURLOPT_HTTPGET, to: 1)
        case .head: try set(CURLOPT_NOBODY, to: 1)
        case .post(let form):
            try set(CURLOPT_POSTFIELDSIZE, to: form.utf8.count)
            try set(CURLOPT_COPYPOSTFIELDS, to: form)
        }
    }

    private func set(_ timeouts: TransferRequest.Timeouts) throws(TransferError) {
        // Signals would go to any thread of the process.
        try set(CURLOPT_NOSIGNAL, to: 1)
        // Without it, closing a handle waits for the thread that still resolves its name.
        try set(CURLOPT_QUICK_EXIT, to: 1)
        try set(CURLOPT_TCP_KEEPALIVE, to: 1)
        try set(CURLOPT_CONNECTTIMEOUT_MS, to: max(1, timeouts.connect.milliseconds))
        if let total = timeouts.total { try set(CURLOPT_TIMEOUT_MS, to: max(1, total.milliseconds)) }
    }

    private func set(_ connection: TransferRequest.Connection) throws(TransferError) {
        if let caFile = connection.caFile { try set(CURLOPT_CAINFO, to: caFile) }
        try set(CURLOPT_SSL_VERIFYPEER, to: connection.isInsecure ? 0 : 1)
        try set(CURLOPT_SSL_VERIFYHOST, to: connection.isInsecure ? 0 : 2)
        if let proxy = connection.proxy { try set(CURLOPT_PROXY, to: proxy) }
        if let path = connection.unixSocket { try set(CURLOPT_UNIX_SOCKET_PATH, to: path) }
        // The answer to CONNECT is not the response.
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, to: 1)
    }

    private func set(_ option: CURLoption, to value: Int) throws(TransferError) {
        try unsafe check(ccurl_setopt_long(pointer, option, value))
    }

    private func set(_ option: CURLoption, to value: String) throws(TransferError) {
        try unsafe check(ccurl_setopt_string(pointer, option, value))
    }

    private func check(_ result: CURLcode) throws(TransferError) {
        guard result == CURLE_OK else { throw TransferError(result) }
    }
}

// MARK: - Callbacks

extension EasyHandle {
    private func setCallbacks() throws(TransferError) {
        // libcurl holds `self` for exactly as long as `self` holds `pointer`.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        try unsafe check(ccurl_setopt_pointer(pointer, CURLOPT_PRIVATE, context))
        let onHeader: ccurl_data_callback = { bytes, size, count, context in
            let handle = unsafe Unmanaged<EasyHandle>.fromOpaque(context!).takeUnretainedValue()
            return unsafe handle.takeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        try unsafe check(ccurl_setopt_on_header(pointer, onHeader, context))
        let onBody: ccurl_data_callback = { bytes, size, count, context in
            let handle = unsafe Unmanaged<EasyHandle>.fromOpaque(context!).takeUnretainedValue()
            return unsafe handle.takeBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        try unsafe check(ccurl_setopt_on_body(pointer, onBody, context))
        guard !request.connection.refused.isEmpty else { return }
        let onOpen: curl_opensocket_callback = { context, _, address in
            let handle = unsafe Unmanaged<EasyHandle>.fromOpaque(context!).takeUnretainedValue()
            return unsafe handle.openSocket(address!)
        }
        try unsafe check(ccurl_setopt_on_open_socket(pointer, onOpen, context))
        let onRequest: curl_prereq_callback = { context, address, _, _, _ in
            let handle = unsafe Unmanaged<EasyHandle>.fromOpaque(context!).takeUnretainedValue()
            return unsafe handle.mayUse(connectionTo: String(cString: address!))
                ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
        }
        try unsafe check(ccurl_setopt_on_request(pointer, onRequest, context))
    }

    /// Returns how much was taken; less than all of it ends the transfer.
    private func takeHeader(_ line: UnsafeRawBufferPointer) -> Int {
        let head = unsafe parser.add(line)
        guard parser.byteCount <= request.limits.head else { return abort(.headTooLarge) }
        guard var head else { return line.count }
        head.peer = peer
        self.head = head
        guard sink.begin(head) else { return abort(TransferError(CURLE_WRITE_ERROR)) }
        lastProgress = .now
        return line.count
    }

    private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        if let limit = request.limits.body, received + bytes.count > limit { return abort(.bodyTooLarge) }
        if request.limits.isGathered { return unsafe gather(bytes) }
        switch unsafe bytes.withMemoryRebound(to: UInt8.self, { unsafe sink.receive($0.span) }) {
        case .taken:
            received += bytes.count
            // After the sink, which may have waited for its disk: that is not the peer's stall.
            lastProgress = .now
            return bytes.count
        case .refused: return abort(TransferError(CURLE_WRITE_ERROR))
        case .full(let register):
            // First, since the sink may have room again by now and say so at once.
            isResting = true
            register(wakeAfterRest)
            return Int(CURL_WRITEFUNC_PAUSE)
        }
    }

    private func gather(_ bytes: UnsafeRawBufferPointer) -> Int {
        if gathered.count + bytes.count > request.limits.chunk, let error = endTurn() { return abort(error) }
        gathered.reserveCapacity(request.limits.chunk)
        unsafe gathered.append(contentsOf: bytes)
        received += bytes.count
        lastProgress = .now
        return bytes.count
    }

    private func abort(_ error: TransferError) -> Int {
        failure = error
        // Not 0, which for an empty chunk would mean that all was taken.
        return Int(CURL_WRITEFUNC_ERROR)
    }

    private func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe Int(ccurl_address_bytes(address, &bytes))
        let addressClass = AddressClass(Array(bytes.prefix(count)))
        guard let addressClass, !request.connection.refused.contains(addressClass) else {
            // libcurl goes on to the name's next address; if that one is good, the transfer is.
            refusedAnAddress = true
            return CURL_SOCKET_BAD
        }
        return unsafe ccurl_open_socket(address)
    }

    /// Judges the connection that the request is about to use.
    ///
    /// A kept connection was opened by another request, which may have refused less.
    private func mayUse(connectionTo address: String) -> Bool {
        if let addressClass = AddressClass(literal: address), !request.connection.refused.contains(addressClass) {
            return true
        }
        failure = .addressRefused
        return false
    }

    private var peer: AddressClass? {
        var address: UnsafePointer<CChar>?
        _ = unsafe ccurl_getinfo_string(pointer, CURLINFO_PRIMARY_IP, &address)
        guard let address = unsafe address else { return nil }
        return unsafe AddressClass(literal: String(cString: address))
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    var milliseconds: Int { Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000) }
}
