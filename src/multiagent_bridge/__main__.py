from multiagent_bridge.cli import main

main()
