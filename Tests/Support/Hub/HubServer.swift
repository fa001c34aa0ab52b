import Locking
import NIOCore
import NIOHTTP1
import NIOPosix

/// One of the Hub's loopback servers.
///
/// It can be stopped and started again on the same port, as an outage.
final class HubServer: Sendable {
    let role: HubRole
    let port: Int
    private let listener: any Channel
    private let connections: Locked<[ObjectIdentifier: any Channel]>

    private init(role: HubRole, listener: any Channel, connections: Locked<[ObjectIdentifier: any Channel]>) {
        self.role = role
        self.listener = listener
        self.connections = connections
        port = listener.localAddress?.port ?? 0
    }

    static func start(_ role: HubRole, of hub: ScriptedHub, port: Int) async throws -> HubServer {
        let connections = Locked<[ObjectIdentifier: any Channel]>([:])
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                let identifier = ObjectIdentifier(channel)
                connections.withLock { $0[identifier] = channel }
                channel.closeFuture.whenComplete { _ in
                    connections.withLock { $0[identifier] = nil }
                }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandler(HubConnection(role: role, hub: hub))
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .get()
        return HubServer(role: role, listener: listener, connections: connections)
    }

    /// Stops listening and cuts every connection.
    func stop() async {
        try? await listener.close()
        let open = connections.withLock { Array($0.values) }
        for channel in open { try? await channel.close() }
    }
}
