import CCurl

/// A set of transfers driven together.
///
/// Confined to the transfer thread. Connections, DNS answers and TLS sessions are kept here, between transfers.
@safe
final class MultiHandle {
    private let pointer: UnsafeMutableRawPointer

    init() {
        LibraryVersion.initializeLibrary()
        // At the start of the process, before anything is served.
        guard let pointer = unsafe curl_multi_init() else { fatalError("curl_multi_init: out of memory") }
        unsafe self.pointer = pointer
        // Enough for every window of a few upstreams and their CDNs.
        _ = unsafe ccurl_multi_setopt_long(pointer, CURLMOPT_MAXCONNECTS, 128)
    }

    deinit {
        unsafe curl_multi_cleanup(pointer)
    }

    /// What other threads may do with the handle: wake it, and nothing else.
    ///
    /// `curl_multi_wakeup` "can be called from any thread"; the handle must outlive the waker.
    @safe
    struct Waker: Sendable {
        fileprivate nonisolated(unsafe) let pointer: UnsafeMutableRawPointer

        func wake() {
            _ = unsafe curl_multi_wakeup(pointer)
        }
    }

    var waker: Waker { unsafe Waker(pointer: pointer) }

    func add(_ easy: EasyHandle) throws(TransferError) {
        guard unsafe curl_multi_add_handle(pointer, easy.pointer) == CURLM_OK else {
            throw TransferError(CURLE_FAILED_INIT)
        }
    }

    func remove(_ easy: EasyHandle) {
        _ = unsafe curl_multi_remove_handle(pointer, easy.pointer)
    }

    /// Moves every transfer as far as it will go without waiting.
    func perform() {
        var running: Int32 = 0
        _ = unsafe curl_multi_perform(pointer, &running)
    }

    /// Waits for a socket, a libcurl timer or a ``Waker``, at most `timeout`.
    func poll(timeout: Duration) {
        _ = unsafe curl_multi_poll(pointer, nil, 0, Int32(timeout.milliseconds), nil)
    }

    /// The next transfer that has ended, and how, or `nil`.
    func nextCompleted() -> (EasyHandle, Result<ResponseHead, TransferError>)? {
        var remaining: Int32 = 0
        while let message = unsafe curl_multi_info_read(pointer, &remaining) {
            guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
            let easy = unsafe EasyHandle.from(message.pointee.easy_handle)
            return unsafe (easy, easy.outcome(ccurl_message_result(message)))
        }
        return nil
    }
}
