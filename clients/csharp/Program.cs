// What the receiver is tried with: plays the scenes of ../conformance, or prints the commands that bcikit sends.
//   Bcikit.Client.exe scenes ../conformance/v1.json
//   Bcikit.Client.exe udp 9750
//   Bcikit.Client.exe ws "ws://127.0.0.1:9752/ws?token=..."
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Bcikit
{
    public static class Program
    {
        private const int Longest = 65536;

        public static int Main(string[] arguments)
        {
            if (arguments.Length == 2)
            {
                switch (arguments[0])
                {
                    case "scenes":
                        return Play(arguments[1]);
                    case "udp":
                        return ListenUdp(int.Parse(arguments[1], CultureInfo.InvariantCulture));
                    case "ws":
                        return ListenWebSocket(new Uri(arguments[1]));
                }
            }
            Console.Error.WriteLine("scenes FILE | udp PORT | ws URL");
            return 2;
        }

        // ---- scenes ------------------------------------------------------------------------------------------------
        private static int Play(string path)
        {
            JObject scenes;
            using (var reader = new JsonTextReader(new StreamReader(path)))
            {
                reader.DateParseHandling = DateParseHandling.None;
                scenes = (JObject)JToken.ReadFrom(reader);
            }
            int failed = 0;
            foreach (JProperty scene in scenes.Properties())
            {
                var receiver = new Receiver();
                int number = 0;
                foreach (JToken step in scene.Value)
                {
                    if (!PlayStep(receiver, step))
                    {
                        Console.WriteLine("{0}, step {1} differs: {2}", scene.Name, number, step.ToString(Formatting.None));
                        failed++;
                    }
                    number++;
                }
            }
            Console.WriteLine(failed == 0 ? "all scenes alike" : failed + " steps differ");
            return failed == 0 ? 0 : 1;
        }

        private static bool PlayStep(Receiver receiver, JToken step)
        {
            double at = (double)step["at"];
            if (step["hex"] != null) receiver.Feed(Bytes((string)step["hex"]), at);
            else if (step["message"].Type != JTokenType.Null) receiver.Feed((string)step["message"], at);
            Order order = receiver.Tick(at);
            foreach (JProperty count in (step["counts"] as JObject ?? new JObject()).Properties())
            {
                if (receiver.Counts[count.Name] != (int)count.Value) return false;
            }
            JToken expect = step["expect"];
            if (expect.Type == JTokenType.Null || order == null) return expect.Type == JTokenType.Null && order == null;
            JToken value = expect["value"];
            bool alike = value.Type == JTokenType.String
                ? order.Number == null && order.Text == (string)value
                : order.Text == null && order.Number == (double?)value;
            return alike && order.Name == (string)expect["name"];
        }

        private static byte[] Bytes(string hex)
        {
            var bytes = new List<byte>();
            for (int at = 0; at < hex.Length; at += 2)
            {
                bytes.Add(byte.Parse(hex.Substring(at, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
            }
            return bytes.ToArray();
        }

        // ---- live --------------------------------------------------------------------------------------------------
        private static int ListenUdp(int port)
        {
            var receiver = new Receiver();
            var clock = Stopwatch.StartNew();
            string was = null;
            using (var line = new UdpClient(new IPEndPoint(IPAddress.Loopback, port)))
            {
                while (true)
                {
                    while (line.Available > 0)
                    {
                        IPEndPoint from = null;
                        receiver.Feed(line.Receive(ref from), clock.Elapsed.TotalSeconds);
                    }
                    was = Show(receiver.Tick(clock.Elapsed.TotalSeconds), was);
                    Thread.Sleep(5);
                }
            }
        }

        private static int ListenWebSocket(Uri address)
        {
            var receiver = new Receiver();
            var clock = Stopwatch.StartNew();
            string was = null;
            using (var line = new ClientWebSocket())
            {
                line.ConnectAsync(address, CancellationToken.None).Wait();
                var message = new MemoryStream();
                var buffer = new ArraySegment<byte>(new byte[Longest]);
                Task<WebSocketReceiveResult> next = line.ReceiveAsync(buffer, CancellationToken.None);
                double heard = clock.Elapsed.TotalSeconds;
                while (line.State == WebSocketState.Open && clock.Elapsed.TotalSeconds - heard <= Line.Silence)
                {
                    if (next.Wait(5))
                    {
                        heard = clock.Elapsed.TotalSeconds;
                        message.Write(buffer.Array, 0, next.Result.Count);
                        if (next.Result.EndOfMessage)
                        {
                            receiver.Feed(message.ToArray(), clock.Elapsed.TotalSeconds);
                            message.SetLength(0);
                        }
                        next = line.ReceiveAsync(buffer, CancellationToken.None);
                    }
                    was = Show(receiver.Tick(clock.Elapsed.TotalSeconds), was);
                }
            }
            receiver.Reset();
            Show(null, was);
            return 0;
        }

        private static string Show(Order order, string was)
        {
            string value = order == null ? "" : order.Text ?? Convert.ToString(order.Number, CultureInfo.InvariantCulture);
            string now = order == null ? "rest" : (order.Name + " " + value).TrimEnd();
            if (now != was) Console.WriteLine(now);
            return now;
        }
    }
}
