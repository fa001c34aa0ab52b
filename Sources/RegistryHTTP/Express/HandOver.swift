import NIOCore
import NIOPosix

/// Gives connections of the express lane to event loops, in turn.
struct HandOver {
    private let setup: ChannelSetup
    private let group: MultiThreadedEventLoopGroup

    init(_ server: ServerContext, to group: MultiThreadedEventLoopGroup) {
        setup = ChannelSetup(server: server, certificates: nil)
        self.group = group
    }

    /// Makes a channel for a connection, which goes on as if its listener's channel had accepted it.
    func give(_ connection: ExpressConnection, after beginning: ConnectionBeginning) {
        guard let socket = connection.takeSocket() else { return }
        let admission = connection.admission
        // The socket is the channel's from here on, which closes it when its preparation fails. Before that NIO can fail
        // only at fcntl(2), which does not for a descriptor that is open.
        _ = ClientBootstrap(group: group)
            .channelInitializer { [setup] channel in
                channel.eventLoop.makeCompletedFuture { try setup.prepare(channel, admission, after: beginning) }
            }
            .withConnectedSocket(socket)
    }
}
