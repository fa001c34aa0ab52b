/// One HTTP request, and the bounds within which its answer must come.
package struct TransferRequest: Sendable {
    package enum Method: Hashable, Sendable {
        case get
        case head
        /// A form, already encoded.
        case post(form: String)
    }

    package var method: Method
    /// An absolute `http` or `https` URL; it goes out byte for byte.
    package var url: String
    package var fields: [HeaderField]
    package var timeouts: Timeouts
    package var limits: Limits
    package var connection: Connection

    package init(
        _ method: Method = .get,
        url: String,
        fields: [HeaderField] = [],
        timeouts: Timeouts = Timeouts(),
        limits: Limits = Limits(),
        connection: Connection = Connection()
    ) {
        self.method = method
        self.url = url
        self.fields = fields
        self.timeouts = timeouts
        self.limits = limits
        self.connection = connection
    }

    /// How long each phase may take; they are checked every 100 ms.
    package struct Timeouts: Hashable, Sendable {
        /// Name resolution, TCP and TLS.
        package var connect: Duration
        /// From there to the end of the response head; from the start the two add up.
        package var head: Duration
        /// Without a byte of the body.
        package var stall: Duration
        /// For everything; `nil` for as long as bytes come.
        package var total: Duration?

        package init(
            connect: Duration = .seconds(3),
            head: Duration = .seconds(5),
            stall: Duration = .seconds(30),
            total: Duration? = nil
        ) {
            self.connect = connect
            self.head = head
            self.stall = stall
            self.total = total
        }
    }

    /// How large an answer may be, and how much of it is read at once.
    package struct Limits: Hashable, Sendable {
        /// Bytes of the body; `nil` for no bound.
        package var body: Int?
        /// Bytes of all header lines, trailers and interim responses included.
        package var head: Int
        /// The size of the read buffer, in bytes.
        package var chunk: Int
        /// Whether what has come is gathered, until it would be more than ``chunk`` or there is no more for now, and given to
        /// the sink in one call; a sink that may be full cannot have that.
        ///
        /// libcurl gives at most 16 KiB at once, however much it has read.
        package var isGathered: Bool

        package init(body: Int? = nil, head: Int = 64 << 10, chunk: Int = 16 << 10, isGathered: Bool = false) {
            self.body = body
            self.head = head
            self.chunk = chunk
            self.isGathered = isGathered
        }
    }

    /// By what way the server is reached, and whether it is believed.
    package struct Connection: Hashable, Sendable {
        /// Certificates to trust instead of the system's, in a PEM file.
        package var caFile: String?
        /// Does not check the server's certificate.
        package var isInsecure: Bool
        /// A proxy's URL; empty for none, `nil` for what the environment says (`HTTPS_PROXY`, `NO_PROXY`, …).
        package var proxy: String?
        /// Addresses that may not be connected to, judged by the address itself and not by the name.
        package var refused: Set<AddressClass>
        /// The path of a Unix socket to connect to, at most 107 bytes, whatever host the URL names.
        package var unixSocket: String?
        /// Whether HTTP/2 may be spoken.
        ///
        /// Not for a sink that rests: libcurl would go on to take a stream's whole window, 10 MB and more, into memory.
        package var allowsHTTP2 = true

        package init(
            caFile: String? = nil,
            isInsecure: Bool = false,
            proxy: String? = nil,
            refused: Set<AddressClass> = [],
            unixSocket: String? = nil
        ) {
            self.caFile = caFile
            self.isInsecure = isInsecure
            self.proxy = proxy
            self.refused = refused
            self.unixSocket = unixSocket
        }
    }
}

/// Receives a response on the transfer thread, in order, without overlap.
///
/// It may block for a short while (a write to disk); other transfers of the loop wait as long.
package protocol TransferSink: AnyObject, Sendable {
    /// Takes the head, before any of the body.
    ///
    /// Returning `false` ends the transfer with ``TransferError/Code/refused``.
    func begin(_ head: ResponseHead) -> Bool

    /// Takes the next bytes of the body, all of them or none.
    func receive(_ bytes: Span<UInt8>) -> Intake
}

/// What a sink has done with the bytes that it was handed.
package enum Intake: Sendable {
    case taken
    /// Ends the transfer with ``TransferError/Code/refused``.
    case refused
    /// None of them was taken: the transfer rests, and hands them over again once it is told to go on.
    ///
    /// `register` is called once, on the transfer thread, with what tells it: that may be called on any thread, at once or
    /// later, and after the transfer's end to no effect. A transfer that rests does not stall.
    case full(_ register: @Sendable (_ goOn: @escaping @Sendable () -> Void) -> Void)
}
